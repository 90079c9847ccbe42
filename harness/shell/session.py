# SPDX-License-Identifier: Apache-2.0
"""Session: reads commands from a person, runs them, and goes on whatever happens."""

import threading
import traceback
from collections.abc import Sequence
from pathlib import Path

import drgn

from harness.base.errors import GuestError, HarnessError
from harness.base.outcome import Ending
from harness.base.paths import cache_directory
from harness.machine.qemu.guest import Guest
from harness.observe.memory.kernel import not_in_kernel
from harness.shell.answer import Answer
from harness.shell.command import Command, EndOfSession, WrongForm
from harness.shell.commands import commands
from harness.shell.commands.session import available
from harness.shell.completion import Completer, line_editing, set_aside
from harness.shell.line import Line, parse_line
from harness.shell.output import show
from harness.shell.target import Target
from harness.shell.terminal import ended_by_signals, interrupts_heard, restored

INTRO = "The guest runs. 'help' lists the commands, 'quit' discards the machine."
PLAY_INTRO = "The machine plays a recording and stands still. 'help' lists the commands."
MEMORY_INTRO = "Memory only: 'help' lists the commands; those that need a machine say so."

PROMPT = "harness> "

FAULT = "shell-fault.txt"
"""The file in the cache with the last fault of the shell itself."""


class Session:
    """Runs lines on a *target* until one ends the session."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._commands = commands()
        target.obey = self.obey
        self._at_prompt = False
        self._telling = threading.Lock()
        self._told: Guest | None = None
        self.failed = False
        """Whether a line was answered with an error."""

    def converse(self, lines: Sequence[str] = ()) -> None:
        """Run *lines*, or read and run lines until the end; Ctrl-C cancels the current one."""
        if not self.target.is_dump:
            self._watch_end(self.target.guest)
            self.target.on_guest = self._watch_end
        completer = Completer(self._commands, self.target)
        self.target.readline_of_its_own = lambda: set_aside(completer)
        try:
            with ended_by_signals(), interrupts_heard(), restored(), line_editing(completer):
                if lines:
                    all(map(self.obey, lines))
                    return
                print(self._intro())
                while self.obey(self._read()):
                    pass
        finally:
            self.target.close()

    def obey(self, text: str) -> bool:
        """Run one line and show its answer or its error; False at the end of the session."""
        if not text.strip() or text.lstrip().startswith("#"):
            return True
        lived = self._ending is None
        try:
            line = parse_line(text, self._commands)
            answer = self.answer(line)
            if answer is not None:
                show(answer.json() if line.json else answer.text, line.pipe)
        except EndOfSession:
            return False
        except KeyboardInterrupt:
            print("\ninterrupted; the command may still run in the guest")
        except Exception as fault:  # a session goes on, whatever a command does
            self.failed = True
            print(f"error: {error_text(fault)}")
        for notice in self.target.notices:
            for news in notice():
                print(news)
        if lived and self._ending is not None and self._first_told():
            print(self._end_text())
        return True

    def answer(self, line: Line) -> Answer | None:
        """Run one line; raises what its command raises."""
        self.target.require(line.command.needs)
        try:
            return line.command.run(self.target, line.words)
        except WrongForm:
            raise line.command.usage() from None

    def command(self, name: str) -> Command:
        """A command by its name."""
        return self._commands[name]

    def _intro(self) -> str:
        if self.target.is_dump:
            return MEMORY_INTRO
        return PLAY_INTRO if self.target.guest.machine.recorded else INTRO

    @property
    def _ending(self) -> Ending | None:
        return None if self.target.is_dump else self.target.guest.ending

    def _read(self) -> str:
        self._at_prompt = True
        try:
            return input(PROMPT)
        except EOFError:
            print()
            return "quit"
        except KeyboardInterrupt:
            print()
            return ""
        finally:
            self._at_prompt = False

    def _watch_end(self, guest: Guest) -> None:
        guest.watch.at_end(self._tell_end)

    def _tell_end(self, _: Ending) -> None:
        """Print at once that the guest has ended; runs in the event loop's thread."""
        if self._at_prompt and self._first_told():
            print(f"\n{self._end_text()}\n{PROMPT}", end="", flush=True)

    def _first_told(self) -> bool:
        """Whether this guest's end has not been told; it is from now on."""
        with self._telling:
            told, self._told = self._told, self.target.guest
        return told is not self._told

    def _end_text(self) -> str:
        return (
            f"The guest has ended: {self._ending}. Still available: {available(self.target)}; "
            "'quit' discards the machine."
        )


def error_text(fault: BaseException) -> str:
    """What a person reads of an error; the traceback of a fault of the shell goes to a file."""
    if isinstance(fault, HarnessError | GuestError | OSError):
        return str(fault)
    if missing := not_in_kernel(fault, "what was asked"):
        return str(missing)
    if isinstance(fault, drgn.FaultError):
        return f"the kernel does not map {fault.address:#x}: its structures are damaged or changed"
    path = _keep_fault(fault)
    return f"{type(fault).__name__}: {fault}. This is a fault of the harness; {path} has it"


def _keep_fault(fault: BaseException) -> Path:
    path = cache_directory() / FAULT
    path.write_text("".join(traceback.format_exception(fault)))
    return path
