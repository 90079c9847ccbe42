# SPDX-License-Identifier: Apache-2.0
"""QEMU's qtest protocol: read and write guest-physical memory and device registers from outside.

Works with ``-accel tcg`` while Linux runs (measured with QEMU 7.2 and 10.0), so the harness can
drive a device of the guest. Protocol: QEMU, softmmu/qtest.c.
"""

import base64
import socket

from harness.base.errors import ProtocolError, QemuError
from harness.machine.qemu.watch import Watch

ANSWER_TIMEOUT = 30.0
"""Seconds for QEMU to answer; measured: 0.0002."""

_WIDTHS = {1: "b", 2: "w", 4: "l", 8: "q"}


class Qtest:
    """The *connection* to a guest's qtest socket, which serves one. Addresses are guest-physical.

    Its calls raise the guest's ending when *watch* has one.
    """

    def __init__(self, connection: socket.socket, watch: Watch) -> None:
        self._watch = watch
        self._socket = connection
        self._socket.settimeout(ANSWER_TIMEOUT)
        self._stream = self._socket.makefile("rb")
        watch.at_end(lambda _: self._hang_up())

    def read(self, address: int, size: int) -> bytes:
        """Read *size* bytes of memory."""
        return base64.b64decode(self._ask(f"b64read {address:#x} {size:#x}"))

    def write(self, address: int, data: bytes) -> None:
        """Write *data* to memory."""
        self._ask(f"b64write {address:#x} {len(data):#x} {base64.b64encode(data).decode()}")

    def read_register(self, address: int, width: int) -> int:
        """Read a register of *width* 1, 2, 4 or 8 bytes."""
        return int(self._ask(f"read{_WIDTHS[width]} {address:#x}"), 0)

    def write_register(self, address: int, width: int, value: int) -> None:
        """Write a register of *width* 1, 2, 4 or 8 bytes."""
        self._ask(f"write{_WIDTHS[width]} {address:#x} {value:#x}")

    def close(self) -> None:
        """Close the socket; :meth:`Guest.close` does it too."""
        self._stream.close()
        self._socket.close()

    def _ask(self, line: str) -> str:
        try:
            self._socket.sendall(line.encode() + b"\n")
            answer = self._answer()
        except OSError as fault:
            raise self._fault(f"qtest '{line[:60]}': {fault}") from fault
        if not answer.startswith("OK"):
            raise ProtocolError(f"qtest '{line[:60]}' was answered with {answer!r}, not OK")
        return answer[2:].strip()

    def _answer(self) -> str:
        while True:
            line = self._stream.readline().decode(errors="replace").strip()
            if not line:
                raise ConnectionResetError("QEMU closed the qtest socket")
            if not line.startswith("IRQ"):  # a change of an interrupt line, not an answer
                return line

    def _fault(self, what: str) -> Exception:
        ending = self._watch.ending
        return QemuError(what) if ending is None else ending.error()

    def _hang_up(self) -> None:
        """Wake a call that waits for an answer, which will not come."""
        if self._socket.fileno() >= 0:
            self._socket.shutdown(socket.SHUT_RDWR)
