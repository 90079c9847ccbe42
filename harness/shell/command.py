# SPDX-License-Identifier: Apache-2.0
"""Command: one command of the shell as a value, from which help, checks and completion follow."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from harness.base.errors import InputError
from harness.shell.answer import Answer

if TYPE_CHECKING:
    from harness.shell.target import Target


class Needs(Enum):
    """What a command works on."""

    NOTHING = "nothing"
    MEMORY = "memory"
    """A dump will do, and a guest that has ended."""

    QEMU = "QEMU"
    """The guest may be stopped, or have panicked."""

    RUNNING = "a running guest"


class Argument(Enum):
    """What can be completed as an argument."""

    ADDRESS = "address"
    FUNCTION = "function"
    POOL = "pool"
    FILE = "file"
    COMMAND = "command"
    QMP = "QMP command"
    SNAPSHOT = "snapshot"
    POINT = "breakpoint or watchpoint"
    CPU = "CPU"


class Takes(Enum):
    """How a command takes what is typed after its name."""

    WORDS = "words"
    """As words of a POSIX shell."""

    TEXT = "text"
    """As one word, quotation marks included, without the pipe."""

    LINE = "line"
    """As one word, with everything: a ``|`` is the command's own."""


@dataclass(frozen=True)
class Command:
    """A command: *run* gets the target and the words that were typed after the name.

    *forms* say which words, without the name, one form a line; *summary* is a sentence. *examples*
    are whole lines. *arguments* are what each word can be, the last one also all later words: a
    kind, or words to choose from.
    """

    name: str
    summary: str
    forms: tuple[str, ...]
    run: Callable[["Target", list[str]], Answer | None]
    examples: tuple[str, ...] = ()
    needs: Needs = Needs.MEMORY
    arguments: tuple[Argument | tuple[str, ...], ...] = ()
    takes: Takes = Takes.WORDS

    def help(self, *, whole: bool) -> str:
        """The forms and the sentence; with *whole*, the examples too."""
        lines = [f"{self.name} {form}".rstrip() for form in self.forms]
        lines.append(f"    {self.summary}")
        if whole and self.examples:
            lines += ["", "Examples:", *(f"    {example}" for example in self.examples)]
        return "\n".join(lines)

    def usage(self) -> InputError:
        """The error for words that have none of the forms."""
        forms = "\n".join(f"  {self.name} {form}".rstrip() for form in self.forms)
        example = f"\nfor example: {self.examples[0]}" if self.examples else ""
        return InputError(f"expected:\n{forms}{example}")


class WrongForm(Exception):
    """A command's words have none of its forms; the session answers with :meth:`Command.usage`."""


class EndOfSession(Exception):
    """A command that ends the session was given."""


def by_name(commands: Iterable[Command]) -> dict[str, Command]:
    """The commands by their names, in alphabetical order."""
    return {one.name: one for one in sorted(commands, key=lambda one: one.name)}
