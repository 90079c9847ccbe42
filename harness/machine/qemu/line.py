# SPDX-License-Identifier: Apache-2.0
"""The harness's end of the agent's serial line: frames both ways, each wait with a deadline."""

import select
import socket
import threading
import time
from collections import deque
from pathlib import Path

from harness.base.errors import GuestHang, QemuError
from harness.machine.qemu.frames import Frame, Garbage, Receiver
from harness.machine.qemu.log import LogFile, raises
from harness.machine.qemu.loop import call, event_loop
from harness.machine.qemu.patience import Patience

RECEIVE_SIZE = 65536

LAST_WORDS_TIMEOUT = 10.0
"""Seconds to wait for :meth:`AgentLine.abort` to say why QEMU closed the line."""

LOGGED_BYTES = 96
"""Bytes of a payload that the log shows."""


class AgentLine:
    """A connected stream socket as a line of frames; only :meth:`abort` is for other threads."""

    def __init__(self, connection: socket.socket, log: Path | None) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._receiver = Receiver()
        self._frames: deque[Frame] = deque()
        self._unsent = b""
        self._closed_at: float | None = None
        self._alarm, self._alarm_in = socket.socketpair()
        self._fault: BaseException | None = None
        self._lock = threading.Lock()
        self._discarding = False
        self._log = _Log(log)

    def send(self, frame: Frame) -> None:
        """Queue *frame*; it goes out while :meth:`receive` waits, which must follow."""
        self._log.frame(">", frame)
        self._unsent += frame.encode()

    def receive(self, what: str, patience: Patience) -> Frame:
        """Return the next frame.

        Raises GuestHang, with *what* was awaited, when the *patience* ends; QemuError when QEMU has
        closed the line; the exception given to :meth:`abort`, at once.
        """
        while not self._frames:
            self._raise_fault()
            left = self._time_left(patience)
            if left <= 0:
                raise self._silence(what, patience.seconds)
            self._wait(left)
        return self._frames.popleft()

    def forget_unsent(self) -> None:
        """Drop the unsent bytes of an abandoned request."""
        self._unsent = b""

    def abort(self, fault: BaseException) -> None:
        """Make the call that waits now, and every later one, raise the first *fault*."""
        with self._lock:
            if self._fault is None:
                self._fault = fault
                self._alarm_in.send(b"!")

    def discard(self) -> None:
        """Read and forget what comes from now on, on the loop's thread; nothing is to be asked.

        QEMU stands still when nobody reads (chardev/char.c:qemu_chr_write_buffer, 7.2).
        """
        self._discarding = True
        call(lambda: event_loop().add_reader(self._connection, self._receive_some))

    def close(self) -> None:
        """Close the connection and the log."""
        if self._discarding:
            call(lambda: event_loop().remove_reader(self._connection))
        for end in (self._connection, self._alarm, self._alarm_in):
            end.close()
        self._log.close()

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault

    def _time_left(self, patience: Patience) -> float:
        if self._closed_at is None:
            return patience.left()
        return self._closed_at + LAST_WORDS_TIMEOUT - time.monotonic()

    def _silence(self, what: str, timeout: float) -> Exception:
        if self._closed_at is not None:
            return QemuError(
                f"QEMU closed the agent's line while the harness waited for {what}, and did not "
                f"say why. {self._log.last_seen()}"
            )
        return GuestHang(
            f"the guest's agent did not answer: {what} was awaited for {timeout:g} s. "
            f"{self._log.last_seen()}"
        )

    def _wait(self, seconds: float) -> None:
        """Move bytes both ways once, as soon as anything can be moved."""
        poll = select.poll()
        poll.register(self._alarm, select.POLLIN)
        if self._closed_at is None:
            events = select.POLLIN | (select.POLLOUT if self._unsent else 0)
            poll.register(self._connection, events)
        ready = dict(poll.poll(1000 * seconds)).get(self._connection.fileno(), 0)
        if ready & select.POLLOUT:
            self._send_some()
        if ready & ~select.POLLOUT:
            self._receive_some()

    def _send_some(self) -> None:
        try:
            self._unsent = self._unsent[self._connection.send(self._unsent) :]
        except OSError:
            self._closed_at = time.monotonic()

    def _receive_some(self) -> None:
        try:
            received = self._connection.recv(RECEIVE_SIZE)
        except OSError:
            received = b""
        if not received:
            self._closed_at = time.monotonic()
            if self._discarding:
                event_loop().remove_reader(self._connection)
        for item in self._receiver.feed(received):
            if isinstance(item, Garbage):
                self._log.garbage(item)
            else:
                self._log.frame("<", item)
                self._frames.append(item)


class _Log:
    """The traffic as lines for a person: seconds, direction, frame."""

    def __init__(self, path: Path | None) -> None:
        self._begin = time.monotonic()
        self._last = "It never sent anything."
        self._file = LogFile(path, raises) if path else None

    def frame(self, direction: str, frame: Frame) -> None:
        size = len(frame.payload)
        shown = _shown(frame.payload)
        line = f"{direction} {frame.type.name} #{frame.id} {size} bytes {shown}"
        if direction == "<":
            self._remember(line)
        self._write(line)

    def garbage(self, garbage: Garbage) -> None:
        line = f"< garbage {len(garbage.content)} bytes {_shown(garbage.content)}"
        self._remember(line)
        self._write(line)

    def last_seen(self) -> str:
        return self._last

    def close(self) -> None:
        if self._file:
            self._file.close()

    def _remember(self, line: str) -> None:
        ago = time.monotonic() - self._begin
        self._last = f"Last seen on its line, {ago:.3f} s after the harness opened it: {line[2:]}"

    def _write(self, line: str) -> None:
        if self._file:
            self._file.write(f"{time.monotonic() - self._begin:10.6f} {line}\n".encode())


def _shown(content: bytes) -> str:
    """ASCII as text, other bytes in hexadecimal, at most LOGGED_BYTES of them."""
    part = content[:LOGGED_BYTES]
    text = part.decode("ascii", errors="replace")
    shown = repr(text) if text.replace("\n", "").isprintable() and text.isascii() else part.hex()
    return shown + ("..." if len(content) > LOGGED_BYTES else "")
