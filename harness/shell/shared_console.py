# SPDX-License-Identifier: Apache-2.0
"""The guest's console for other terminals, through a socket in the run directory."""

import contextlib
import os
import select
import socket
import sys
from pathlib import Path

from harness.base.errors import InputError
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.loop import call, event_loop
from harness.shell.terminal import LEAVE, raw_keys, show_bytes

SOCKET = "console-shared.sock"
"""In the guest's run directory, from the first ``info`` of its session on."""

CHUNK = 4096
"""Bytes that are read at once."""


class SharedConsole:
    """Serves the console of *guest* to any number of terminals; what each types goes to all."""

    def __init__(self, guest: Guest) -> None:
        self._console = guest.console
        self.path = guest.directory / SOCKET
        self._clients: set[socket.socket] = set()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        self._listener.setblocking(False)
        call(lambda: event_loop().add_reader(self._listener, self._accept))
        self._console.tap(self._show)

    def close(self) -> None:
        """Hang up on all terminals."""
        self._console.untap(self._show)

        def finish() -> None:
            event_loop().remove_reader(self._listener)
            for client in list(self._clients):
                self._drop(client)

        call(finish)
        self._listener.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.setblocking(False)
        self._clients.add(client)
        event_loop().add_reader(client, self._take, client)

    def _take(self, client: socket.socket) -> None:
        """Type what a terminal sends; runs on the loop's thread."""
        data = _received(client)
        if data:
            self._console.write_soon(data)
        else:
            self._drop(client)

    def _show(self, data: bytes) -> None:
        """Send what the guest writes; a terminal that does not read loses it."""
        for client in list(self._clients):
            with contextlib.suppress(OSError):
                client.send(data)

    def _drop(self, client: socket.socket) -> None:
        event_loop().remove_reader(client)
        self._clients.discard(client)
        client.close()


def join_console(path: Path) -> None:
    """Connect standard input and output to a shared console until Ctrl-], or its end.

    Raises InputError if nobody shares it.
    """
    with socket.socket(socket.AF_UNIX) as console:
        try:
            console.connect(str(path))
        except OSError as fault:
            raise InputError(
                f"nobody shares this console ({path}: {fault.strerror}): type 'info' in the "
                "session that started the machine"
            ) from fault
        with raw_keys():
            console.sendall(b"\n")  # the shell's prompt is long gone: ask for another
            _copy(console)


def _copy(console: socket.socket) -> None:
    while True:
        ready, _, _ = select.select([sys.stdin, console], [], [])
        if console in ready:
            data = _received(console)
            if not data:
                return
            show_bytes(data)
        if sys.stdin in ready:
            typed = os.read(sys.stdin.fileno(), CHUNK)
            before, leave, _ = typed.partition(LEAVE)
            with contextlib.suppress(OSError):  # the end is read next
                console.sendall(before)
            if leave or not typed:
                return


def _received(connection: socket.socket) -> bytes:
    """What has arrived; nothing if the other end has hung up."""
    try:
        return connection.recv(CHUNK)
    except OSError:
        return b""
