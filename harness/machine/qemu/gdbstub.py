# SPDX-License-Identifier: Apache-2.0
"""A client of QEMU's gdb server: breakpoints, watchpoints, single steps.

The protocol is gdb's (gdb manual, "Remote Protocol"; QEMU, gdbstub.c). QEMU opens the server on
request and stops the machine while a client connects; it has one client at a time, so gdb can take
the place of this one.
"""

import contextlib
import re
import select
import socket
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from harness.base.errors import ProtocolError, QemuError
from harness.machine.qemu.guest import Guest

SOCKET = "gdb.sock"
"""In the guest's run directory."""

ANSWER_TIMEOUT = 10.0
"""Seconds; normally milliseconds."""

REVERSE_TIMEOUT = 600.0
"""Seconds; QEMU loads a state from before and plays up to each stop, twice."""

INTERRUPT = b"\x03"

_STOP = re.compile(r"T05(?:thread:(?:p[0-9a-f]+\.)?([0-9a-f]+);)?(?:(\w*watch):([0-9a-f]+);)?")


class PointKind(IntEnum):
    """What a breakpoint or watchpoint waits for: the number in ``Z`` packets."""

    EXECUTE = 1
    WRITE = 2
    READ = 3
    ACCESS = 4


@dataclass(frozen=True)
class StopReason:
    """The *cpu* that stopped, from 0, and for a watchpoint the virtual address of the access."""

    cpu: int
    watched: int | None = None


class GdbStub:
    """A connection; the machine stands still after the connection, until :meth:`resume`.

    Raises QemuError when QEMU refuses, ProtocolError when it answers something else.
    """

    def __init__(self, guest: Guest) -> None:
        self.path = open_gdb_server(guest)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_TIMEOUT)
        self._buffer = b""
        self.running = False
        try:
            self._socket.connect(str(self.path))
            self._skip_stop()
        except ProtocolError as fault:
            self._socket.close()
            raise QemuError(
                f"{fault}: another gdb is connected to {self.path}, and QEMU serves one at a time"
            ) from fault
        except BaseException:
            self._socket.close()
            raise

    def insert(self, kind: PointKind, address: int, size: int) -> None:
        """Stop the machine when a CPU accesses *size* bytes from virtual *address* on."""
        self._require_ok(f"Z{kind},{address:x},{size:x}", f"a stop at {address:#x}")

    def remove(self, kind: PointKind, address: int, size: int) -> None:
        """Undo :meth:`insert`."""
        self._require_ok(f"z{kind},{address:x},{size:x}", f"the removal of the stop {address:#x}")

    def step(self, cpu: int) -> StopReason:
        """Execute one instruction on *cpu*; the others stand still."""
        self._ask(f"Hc{cpu + 1:x}")
        self._send("s")
        return self._stop(self._receive(ANSWER_TIMEOUT))

    def reverse(self, *, step: bool) -> StopReason:
        """Go back, by one instruction or to the last stop before, in the play of a recording.

        Without a stop before, it ends at the begin of the recording.
        """
        self._send("bs" if step else "bc")
        return self._stop(self._receive(REVERSE_TIMEOUT))

    def resume(self) -> None:
        """Let all CPUs run."""
        self._ask("Hc-1")
        self._send("c")
        self.running = True

    def interrupt(self) -> StopReason:
        """Stop the machine."""
        self._socket.sendall(INTERRUPT)
        return self._stop(self._receive(ANSWER_TIMEOUT))

    def poll(self, timeout: float = 0.0) -> StopReason | None:
        """Why the running machine stopped; None while it runs, after *timeout* seconds."""
        while (packet := self._packet()) is None:
            ready, _, _ = select.select([self._socket], [], [], timeout)
            if not ready:
                return None
            self._read()
        return self._stop(packet)

    def fileno(self) -> int:
        """The descriptor of the connection, for select(): readable when the machine stops."""
        return self._socket.fileno()

    def sync(self, *, running: bool) -> None:
        """Forget stops that were told and are over, as after ``stop`` and ``cont`` by QMP.

        *running* is what QMP says of the machine.
        """
        while select.select([self._socket], [], [], 0)[0]:
            self._read()
        self._buffer = b""
        self.running = running

    def hang_up(self) -> None:
        """Leave the machine as it stands; its stops must have been removed."""
        self._socket.close()

    def close(self) -> None:
        """Detach: QEMU removes all stops and lets the machine run. Never raises."""
        with contextlib.suppress(OSError, ProtocolError, QemuError):
            if self.running:
                self._socket.sendall(INTERRUPT)
                self._receive(ANSWER_TIMEOUT)
            self._ask("D")
        self._socket.close()

    def _stop(self, packet: str) -> StopReason:
        found = _STOP.match(packet) or re.match(r"T\d\dthread:(?:p\d+\.)?([0-9a-f]+);()()", packet)
        if found is None:
            raise ProtocolError(f"QEMU's gdb server said {packet[:40]!r} instead of a stop")
        self.running = False
        cpu = int(found[1] or "1", 16) - 1
        return StopReason(cpu, int(found[3], 16) if found[3] else None)

    def _require_ok(self, packet: str, what: str) -> None:
        answer = self._ask(packet)
        if answer != "OK":
            raise QemuError(f"QEMU's gdb server refuses {what}: {answer or 'not supported'}")

    def _ask(self, packet: str) -> str:
        self._send(packet)
        return self._receive(ANSWER_TIMEOUT)

    def _skip_stop(self) -> None:
        """Ask why the machine stands still; the stop for the connection may come before that."""
        self._send("?")
        while not self._receive(ANSWER_TIMEOUT).startswith("T05"):
            pass

    def _send(self, packet: str) -> None:
        data = packet.encode()
        self._socket.sendall(b"$%s#%02x" % (data, sum(data) & 0xFF))

    def _receive(self, timeout: float) -> str:
        """The content of the next packet."""
        self._socket.settimeout(timeout)
        while (packet := self._packet()) is None:
            try:
                self._read()
            except TimeoutError:
                raise ProtocolError(
                    f"QEMU's gdb server did not answer within {timeout:g} s"
                ) from None
        return packet

    def _packet(self) -> str | None:
        """The content of the first whole packet that has come; acknowledgements are skipped."""
        end = self._buffer.find(b"#")
        if end < 0 or len(self._buffer) < end + 3:
            return None
        packet, self._buffer = self._buffer[:end], self._buffer[end + 3 :]
        return packet[packet.rfind(b"$") + 1 :].decode(errors="replace")

    def _read(self) -> None:
        data = self._socket.recv(4096)
        if not data:
            raise QemuError("QEMU's gdb server closed the connection: another gdb took it over")
        self._buffer += data


def open_gdb_server(guest: Guest) -> Path:
    """Make QEMU serve gdb on a socket in the guest's run directory; returns its path."""
    path = guest.directory / SOCKET
    if not path.exists():
        answer = guest.monitor.hmp(f"gdbserver unix:{path},server=on,wait=off")
        if not path.exists():
            raise QemuError(f"QEMU opens no gdb server: {answer.strip()}")
    return path
