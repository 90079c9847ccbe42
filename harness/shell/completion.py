# SPDX-License-Identifier: Apache-2.0
"""Complete what is typed, and keep the history of lines."""

import contextlib
import readline
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.base.errors import GuestError, HarnessError
from harness.base.paths import cache_directory
from harness.observe.memory.names import pool_names
from harness.shell.command import Argument, Command
from harness.shell.commands.snapshots import Snapshots
from harness.shell.debugger import Debugger
from harness.shell.target import Target

HISTORY, KEPT = "shell-history", 2000
"""The file in the cache with the lines of past sessions, and how many of them are kept."""

DELIMITERS = " \t\n|"


def candidates(
    before: str, word: str, commands: Mapping[str, Command], target: Target
) -> list[str]:
    """What may be typed in place of *word*, of which *before* is the line up to it, sorted."""
    given = before.split()
    if not given:
        return [f"{name} " for name in _starting(commands, word)]
    command = commands.get(given[0])
    if command is None or not command.arguments:
        return []
    kind = command.arguments[min(len(given), len(command.arguments)) - 1]
    if isinstance(kind, tuple):
        return _starting(kind, word)
    with contextlib.suppress(HarnessError, GuestError):  # completion says nothing of its own
        return _starting(_choices(kind, word, commands, target), word)
    return []


def _choices(
    kind: Argument, word: str, commands: Mapping[str, Command], target: Target
) -> Iterable[str]:
    found: Iterable[str]
    match kind:
        case Argument.COMMAND:
            found = commands
        case Argument.FILE:
            found = _files(word)
        case Argument.POOL:
            found = pool_names(target.types)
        case Argument.FUNCTION:
            found = target.types.symbols.names()
        case Argument.ADDRESS:
            found = target.resolver.names()
        case Argument.QMP:
            found = _qmp_commands(target)
        case Argument.SNAPSHOT:
            found = target.part(Snapshots, Snapshots).made
        case Argument.POINT:
            found = map(str, target.part(Debugger, lambda: Debugger(target)).points)
        case Argument.CPU:
            found = map(str, range(target.guest.machine.cpus))
    return found


def _qmp_commands(target: Target) -> Iterator[str]:
    return (one["name"] for one in target.guest.monitor.execute("query-commands"))


def _files(word: str) -> Iterator[str]:
    folder, _, start = word.rpartition("/")
    shown = f"{folder}/" if "/" in word else ""
    with contextlib.suppress(OSError):
        for path in Path(shown or ".").expanduser().iterdir():
            if path.name.startswith(start):
                yield f"{shown}{path.name}" + ("/" if path.is_dir() else "")


def _starting(names: Iterable[str], word: str) -> list[str]:
    return sorted(name for name in names if name.startswith(word))


class Completer:
    """Completes for readline."""

    def __init__(self, commands: Mapping[str, Command], target: Target) -> None:
        self._commands, self._target = commands, target
        self._found: Sequence[str] = ()

    def __call__(self, word: str, state: int) -> str | None:
        """Candidate number *state* for *word*; None after the last."""
        if state == 0:
            before = readline.get_line_buffer()[: readline.get_begidx()]
            self._found = candidates(before, word, self._commands, self._target)
        return self._found[state] if state < len(self._found) else None


@contextlib.contextmanager
def line_editing(completer: Completer) -> Iterator[None]:
    """Complete with Tab, and keep the history in a file of the cache."""
    _set_up(completer)
    try:
        yield
    finally:
        readline.set_completer(None)
        _write_history()


@contextlib.contextmanager
def set_aside(completer: Completer) -> Iterator[None]:
    """Leave readline to another program in this process, which changes its settings."""
    _write_history()
    try:
        yield
    finally:
        readline.clear_history()
        _set_up(completer)


def _set_up(completer: Completer) -> None:
    with contextlib.suppress(OSError):
        readline.read_history_file(_history())
    readline.set_history_length(KEPT)
    readline.set_completer_delims(DELIMITERS)
    readline.set_completer(completer)
    readline.parse_and_bind("tab: complete")


def _write_history() -> None:
    with contextlib.suppress(OSError):  # a full disk costs the history only
        readline.write_history_file(_history())


def _history() -> Path:
    return cache_directory() / HISTORY
