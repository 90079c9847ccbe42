# SPDX-License-Identifier: Apache-2.0
"""Stop a guest at the moment at which the kernel refuses a mapping, to see who holds the slots."""

import re
import select
import socket
import threading
from collections.abc import Callable
from threading import Lock

from harness.devices.drivers import HeldDisk
from harness.machine.qemu.gdbstub import GdbStub, PointKind
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes
from harness.observe.memory.kernel import kernel_reading

WARNS = "___ratelimit"
"""The function that swiotlb_tbl_map_single() calls before it says that the pool is full (Linux 6.1
to 7.3, kernel/dma/swiotlb.c: dev_warn_ratelimited()), with its own name as the second argument. A
driver that forbids that message (DMA_ATTR_NO_WARN: nvme) is not seen."""

CALLERS = ("swiotlb_tbl_map_single", "swiotlb_map")
SECOND_ARGUMENT = re.compile(r"X01=([0-9a-f]+)")
NAME = 32
"""Bytes that are read of a function's name."""

INSTRUCTION = 4
"""Bytes of an instruction."""


class RefusalStop:
    """Calls *seen* at the first refusal, with *guest* stopped, unless :meth:`close` comes before.

    QEMU waits in a stop for the answers of *disk*, which therefore holds none meanwhile. *seen* is
    called on a thread of this object's. *reading* is held while it reads the guest's memory.
    """

    def __init__(
        self,
        guest: Guest,
        types: KernelTypes,
        reading: Lock,
        seen: Callable[[], None],
        disk: HeldDisk | None,
    ) -> None:
        with kernel_reading(WARNS):
            address = types.program.symbol(WARNS).address
        self._guest, self._program, self._reading = guest, types.program, reading
        self._seen, self._disk = seen, disk
        self._point = (PointKind.EXECUTE, address, INSTRUCTION)
        self._closing, self._closed = socket.socketpair()
        self._stub = GdbStub(guest)
        self._stub.insert(*self._point)
        self._stub.resume()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop no more; the guest runs."""
        self._closing.close()
        self._thread.join()
        self._closed.close()
        if self._disk is not None:
            self._disk.release()
        self._stub.close()

    def _watch(self) -> None:
        stub, closed = self._stub.fileno(), self._closed.fileno()
        ready: list[int] = []
        while closed not in ready:
            reason = self._stub.poll()
            if reason is None:
                ready, _, _ = select.select([stub, closed], [], [])
            elif self._stopped(reason.cpu):
                return

    def _stopped(self, cpu: int) -> bool:
        """Whether the stop of *cpu* was for a refusal; the machine runs again."""
        held = self._disk is not None and self._disk.held
        if self._disk is not None:
            self._disk.release()
        refused = self._caller(cpu) in CALLERS
        if refused:
            self._seen()
        self._stub.remove(*self._point)
        if not refused:
            self._stub.step(cpu)
            self._stub.insert(*self._point)
        if self._disk is not None:
            self._disk.held = held
        self._stub.resume()
        return refused

    def _caller(self, cpu: int) -> str:
        """The function that called WARNS."""
        registers = self._guest.monitor.hmp("info registers", cpu)
        found = SECOND_ARGUMENT.search(registers)
        if found is None:
            return ""
        with self._reading:
            name = self._program.read(int(found[1], 16), NAME)
        return bytes(name).partition(b"\0")[0].decode(errors="replace")
