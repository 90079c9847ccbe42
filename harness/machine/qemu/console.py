# SPDX-License-Identifier: Apache-2.0
"""The guest's serial console: always drained, time-stamped into a log, read for kernel reports.

A pl011 write blocks all of QEMU while nothing reads the console (measured with 7.2: vCPU, QMP and
hot-plug stop), so the event loop always reads.
"""

import asyncio
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path

from harness.base.kreport import Report, ReportReader
from harness.machine.qemu.log import LogFile, ends
from harness.machine.qemu.loop import call, event_loop, run
from harness.machine.qemu.watch import Watch

LINE_LIMIT = 16 * 1024
"""Most bytes of a line; the rest is the next line. printk's limit is 1 KiB."""

KEPT_LINES = 50_000
"""Lines kept in memory; the log file has all lines."""

CHUNK = 64 * 1024

INPUT_TIMEOUT = 10.0
"""Seconds for the guest's UART to take input."""


def read_log(log: Path) -> tuple[str, ...]:
    """The console lines in a log that :class:`Console` wrote."""
    lines = log.read_text(errors="replace").splitlines()
    return tuple(line.partition("] ")[2] for line in lines)


class Console:
    """Reads one guest's console into lines and kernel reports."""

    def __init__(self, connection: socket.socket, log: Path, watch: Watch) -> None:
        self._connection = connection
        self._connection.setblocking(False)
        self._log = LogFile(log, ends(watch))
        self._watch = watch
        self._begin = time.monotonic()
        self._partial = b""
        self._lines: list[str] = []
        self._dropped = 0
        self._reader = ReportReader()
        self._taps: list[Callable[[bytes], None]] = []
        self._typing = asyncio.Lock()
        """Held by one input at a time: the loop has one writer for a socket."""
        self._typed: set[asyncio.Task[None]] = set()
        self.on_report: Callable[[Report], None] | None = None
        """Called with each report when it begins, and again if a later line ends the guest."""
        call(lambda: event_loop().add_reader(connection, self.drain))

    @property
    def lines(self) -> tuple[str, ...]:
        """The last 50,000 lines, without their ends."""
        return tuple(self._lines)

    def lines_so_far(self) -> tuple[str, ...]:
        """As *lines*, when all that has arrived is read; not for the loop's thread.

        The agent's answers come on another line, and may be read before what the kernel printed
        earlier.
        """
        call(self.drain)
        return self.lines

    @property
    def reports(self) -> tuple[Report, ...]:
        """Every kernel report so far, oldest first; the last one may get more lines."""
        return self._reader.reports

    @property
    def mark(self) -> int:
        """The number of the next line; give it to :meth:`wait_for` as *since*."""
        return self._dropped + len(self._lines)

    def wait_for(self, pattern: str, timeout: float, *, since: int = 0) -> re.Match[str]:
        """Wait for a line that regular expression *pattern* matches, from line *since* on."""
        wanted = re.compile(pattern)
        position = since

        def look() -> re.Match[str] | None:
            nonlocal position
            position = max(position, self._dropped)
            lines = self._lines[position - self._dropped :]
            for line in lines:
                found = wanted.search(line)
                if found:
                    return found
            position += len(lines)  # not the mark: more lines may have come during the search
            return None

        return self._watch.wait(f"console line /{pattern}/", look, timeout, self.last_line)

    def last_line(self) -> str:
        """The last line of the console, for messages."""
        return repr(self._lines[-1]) if self._lines else "nothing on the console"

    def write(self, data: bytes) -> None:
        """Type *data* into the guest's console."""
        run(self._type(data), "the console to take input", INPUT_TIMEOUT)

    def write_soon(self, data: bytes) -> None:
        """Type *data* without waiting until the guest takes it; for the loop's thread."""
        task = event_loop().create_task(self._type(data))
        self._typed.add(task)
        task.add_done_callback(self._typed.discard)

    def tap(self, listener: Callable[[bytes], None]) -> None:
        """Call *listener* with all bytes from now on, on the loop's thread."""
        self._taps.append(listener)

    def untap(self, listener: Callable[[bytes], None]) -> None:
        """Undo :meth:`tap`."""
        self._taps.remove(listener)

    def drain(self) -> None:
        """Read all bytes that have arrived; runs on the loop's thread."""
        while True:
            try:
                data = self._connection.recv(CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                event_loop().remove_reader(self._connection)
                return
            self._take(data)

    def close(self) -> None:
        """Read the rest and close log and socket."""

        def finish() -> None:
            self.drain()
            event_loop().remove_reader(self._connection)
            if self._partial:
                self._take(b"\n")
            self._log.close()
            self._connection.close()

        call(finish)

    async def _type(self, data: bytes) -> None:
        async with self._typing:
            await event_loop().sock_sendall(self._connection, data)

    def _take(self, data: bytes) -> None:
        for listener in self._taps:
            listener(data)
        *whole, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LINE_LIMIT:
            whole.append(self._partial)
            self._partial = b""
        for raw in whole:
            self._take_line(raw)
        self._watch.notify()

    def _take_line(self, raw: bytes) -> None:
        self._log.write(b"[%10.6f] %s\n" % (time.monotonic() - self._begin, raw.rstrip(b"\r")))
        line = raw[:LINE_LIMIT].decode(errors="replace").strip("\r")
        self._lines.append(line)
        if len(self._lines) > KEPT_LINES:
            del self._lines[: KEPT_LINES // 2]
            self._dropped += KEPT_LINES // 2
        for report in self._reader.take(line):
            if self.on_report is not None:
                self.on_report(report)
