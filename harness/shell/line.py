# SPDX-License-Identifier: Apache-2.0
"""Split a line that was typed: command, words, ``--json``, and the program after a ``|``."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.base.errors import InputError
from harness.observe.memory.names import unknown
from harness.shell.command import Command, Takes
from harness.shell.words import parse_words

JSON = "--json"


@dataclass(frozen=True)
class Line:
    """One line: *pipe* is the shell command that gets the output, empty if there is none."""

    command: Command
    words: list[str]
    json: bool = False
    pipe: str = ""


def parse_line(text: str, commands: Mapping[str, Command]) -> Line:
    """Split *text*; raises InputError for an unknown command or an open quotation."""
    name, _, rest = text.strip().partition(" ")
    bare = name.partition("|")[0]
    command = commands.get(name) or (None if bare == name else commands.get(bare))
    if command is None:
        raise _unknown_command(name, commands)
    rest = f"{name[len(command.name) :]} {rest}".strip()
    if command.takes is Takes.LINE:
        return Line(command, [rest] if rest else [])
    own, bar, pipe = _cut_pipe(rest)
    if bar and not pipe:
        raise InputError(f"expected a program after '|', such as {command.name} | grep WORD")
    if command.takes is Takes.TEXT:
        text = f" {own} ".replace(f" {JSON} ", " ").strip()
        return Line(command, [text] if text else [], text != own.strip(), pipe)
    words = parse_words(own)
    return Line(command, [word for word in words if word != JSON], JSON in words, pipe)


def _unknown_command(name: str, commands: Mapping[str, Command]) -> InputError:
    fault = unknown("command", name, commands)
    hint = "" if "did you mean" in str(fault) else ": 'help' lists the commands"
    return InputError(f"{fault}{hint}")


def _cut_pipe(text: str) -> tuple[str, str, str]:
    """*text* before and after its first ``|`` outside quotation marks."""
    quote = ""
    for at, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign == "|":
            return text[:at], "|", text[at + 1 :].strip()
    return text, "", ""
