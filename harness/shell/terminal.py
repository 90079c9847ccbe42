# SPDX-License-Identifier: Apache-2.0
"""A person's terminal on the guest's console."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from harness.base.errors import GuestError, HarnessError
from harness.machine.qemu.console import Console
from harness.machine.qemu.guest import Guest

Handler = Callable[[int, Any], object] | signal.Handlers

LEAVE = b"\x1d"
"""Ctrl-], which telnet and virsh use as well."""

CONSOLE = "/dev/ttyAMA0"

SIZE_TIMEOUT = 2.0
"""Seconds for the guest to set the terminal's size; a stopped machine never does."""


def attach(guest: Guest) -> None:
    """Connect standard input and output to the console until Ctrl-], or the guest's end.

    A serial line has no window size, so the agent sets it. When the guest ends, its whole report
    is shown first.
    """
    with _woken_at_end(guest) as wake, _shown(guest.console), raw_keys():
        with _sized(guest):
            guest.console.write(b"\n")  # the shell's prompt is long gone: ask for another
            _copy_input(guest.console, wake)
        guest.settle()


def run_program(command: Sequence[str]) -> None:
    """Run a program on this terminal; Ctrl-C goes to the program only."""
    with interrupts_ignored():  # the program inherits that
        subprocess.run(command, check=False)


@contextlib.contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C during the block; only the main thread would get it."""
    with _on_interrupt(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def interrupts_for_the_program() -> Iterator[None]:
    """Let Ctrl-C during the block end a program that runs, and nothing else."""
    with _on_interrupt(lambda *_: None):  # unlike SIG_IGN, not inherited
        yield


@contextlib.contextmanager
def interrupts_heard() -> Iterator[None]:
    """Let Ctrl-C on this terminal raise KeyboardInterrupt, also if the parent ignores SIGINT.

    A shell without job control ignores it for what it starts in the background (POSIX, XCU 2.11).
    """
    if not sys.stdin.isatty():
        yield
        return
    with _on_interrupt(signal.default_int_handler):
        yield


@contextlib.contextmanager
def _on_interrupt(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _woken_at_end(guest: Guest) -> Iterator[int]:
    """A file descriptor that can be read from once the guest has ended."""
    wake, woken = os.pipe()
    guest.watch.at_end(lambda _: os.close(woken))
    try:
        yield wake
    finally:
        os.close(wake)


@contextlib.contextmanager
def _shown(console: Console) -> Iterator[None]:
    console.tap(show_bytes)
    try:
        yield
    finally:
        console.untap(show_bytes)


def show_bytes(data: bytes) -> None:
    """Write to standard output at once, as the guest has written it."""
    os.write(sys.stdout.fileno(), data)


@contextlib.contextmanager
def _sized(guest: Guest) -> Iterator[None]:
    """Keep the console's window as large as the person's."""

    def resize(*_: object) -> None:
        with contextlib.suppress(GuestError, HarnessError, OSError):  # OSError: no terminal
            columns, rows = os.get_terminal_size(sys.stdin.fileno())
            guest.agent.run(f"stty -F {CONSOLE} rows {rows} cols {columns}", SIZE_TIMEOUT)

    resize()
    before = signal.signal(signal.SIGWINCH, resize)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _copy_input(console: Console, wake: int) -> None:
    while True:
        ready, _, _ = select.select([sys.stdin, wake], [], [])
        if wake in ready:
            return
        typed = os.read(sys.stdin.fileno(), 1024)
        before, leave, _ = typed.partition(LEAVE)
        if before:
            console.write(before)
        if leave or not typed:
            return


@contextlib.contextmanager
def restored() -> Iterator[None]:
    """Restore the terminal's mode at the end of the block; nothing without a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    try:
        yield
    finally:
        with contextlib.suppress(termios.error, OSError):  # a closed ssh has no terminal any more
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Make SIGTERM and SIGHUP raise SystemExit during the block, so that all is put in order."""

    def leave(number: int, _: object) -> None:
        sys.exit(128 + number)

    signals = (signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(one, leave) for one in signals]
    try:
        yield
    finally:
        for one, handler in zip(signals, before, strict=True):
            signal.signal(one, handler)


@contextlib.contextmanager
def raw_keys() -> Iterator[None]:
    """Raw mode: every key goes to the guest, Ctrl-C too. Does nothing without a terminal."""
    with restored():
        if sys.stdin.isatty():
            tty.setraw(sys.stdin.fileno())
        yield
