# SPDX-License-Identifier: Apache-2.0
"""A person's terminal on the guest's console."""

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from harness.vm.console import Console
from harness.vm.guest import Guest

LEAVE = b"\x1d"
"""Ctrl-], which telnet and virsh use as well."""


def attach(guest: Guest) -> None:
    """Connect standard input and output to the console until Ctrl-], or the guest's end."""
    wake, woken = os.pipe()
    guest.watch.at_end(lambda _: _hang_up(woken))
    guest.console.tap(_show)
    try:
        with _raw(sys.stdin.fileno()):
            guest.console.write(b"\n")  # the shell's prompt is long gone: ask for another
            _copy_input(guest.console, wake)
    finally:
        guest.console.untap(_show)
        os.close(wake)


def _show(data: bytes) -> None:
    os.write(sys.stdout.fileno(), data)


def _hang_up(woken: int) -> None:
    try:
        os.write(woken, b"!")
    except OSError:
        return  # the person left before the guest did
    finally:
        os.close(woken)


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


@contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Hand keys over one by one, Ctrl-C too; nothing to do where input is no terminal."""
    if not os.isatty(terminal):
        yield
        return
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
