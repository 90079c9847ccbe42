# SPDX-License-Identifier: Apache-2.0
"""A line is a command with its words, perhaps --json, perhaps a pipe."""

import pytest

from harness.base.errors import InputError
from harness.shell.command import Command, Takes
from harness.shell.line import parse_line


def _command(name: str, takes: Takes = Takes.WORDS) -> Command:
    return Command(name, "Does it.", ("",), lambda *_: None, takes=takes)


COMMANDS = {
    one.name: one
    for one in (_command("slots"), _command("run", Takes.LINE), _command("search", Takes.TEXT))
}


@pytest.mark.parametrize(
    ("text", "words", "json", "pipe"),
    [
        ("slots", [], False, ""),
        ("  slots pool1  all", ["pool1", "all"], False, ""),
        ("slots --json", [], True, ""),
        ("slots|wc -l", [], False, "wc -l"),
        ("slots 'a|b' --json | grep x | wc", ["a|b"], True, "grep x | wc"),
        ("run ls | grep --json", ["ls | grep --json"], False, ""),
        ("run", [], False, ""),
        ('search "a | b" in pool | cat', ['"a | b" in pool'], False, "cat"),
        ('search "a" --json', ['"a"'], True, ""),
    ],
)
def test_a_line_is_split(text: str, words: list[str], json: bool, pipe: str) -> None:
    line = parse_line(text, COMMANDS)

    assert (line.words, line.json, line.pipe) == (words, json, pipe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slot", "did you mean 'slots'"),
        ("zzz", "'help' lists the commands"),
        ("slots |", "expected a program after '|'"),
        ("slots 'open", "No closing quotation"),
    ],
)
def test_what_is_no_line_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match="(?i)" + message.replace("|", r"\|")):
        parse_line(text, COMMANDS)
