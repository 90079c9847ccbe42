# SPDX-License-Identifier: Apache-2.0
"""An NVMe controller's host side, driven from outside the guest: one command at a time.

Properties and queues: NVM Express Base Specification 2.0, 3.1.3 and 3.3; doorbells: NVMe over
PCIe Transport Specification 1.0, 3.1.2; reads and writes: NVM Command Set Specification 1.0, 3.2.
"""

import struct
import time
from collections.abc import Sequence
from enum import IntEnum

from harness.base.address_range import AddressRange
from harness.base.errors import ProtocolError
from harness.devices.rogue.scratch import Scratch
from harness.machine.qemu.qtest import Qtest


class ControllerProperty(IntEnum):
    """Offsets in BAR 0 (Base 2.0, 3.1.3; the doorbells: PCIe Transport 1.0, 3.1.2)."""

    CAPABILITIES = 0x00
    CONFIGURATION = 0x14
    STATUS = 0x1C
    ADMIN_SIZES = 0x24
    ADMIN_SUBMISSIONS = 0x28
    ADMIN_COMPLETIONS = 0x30
    DOORBELLS = 0x1000


class Opcode(IntEnum):
    """Commands: admin (Base 2.0, 5.4 and 5.5), I/O (NVM Command Set 1.0, 3.2.4 and 3.2.6)."""

    CREATE_SUBMISSIONS = 0x01
    CREATE_COMPLETIONS = 0x05
    WRITE = 0x01
    READ = 0x02


SUBMISSION, COMPLETION = struct.Struct("<BBHI16x16sIII12x"), struct.Struct("<8xHHHH")
"""Base 2.0, 3.3.3.1 and 3.3.3.2. Command: opcode, flags, id, namespace, data pointer, dwords 10 to
12. Completion: submission queue's head and id, command's id, status with the phase in bit 0."""

DATA_POINTER = struct.Struct("<QQ")

ENABLE = 4 << 20 | 6 << 16 | 1
"""CC: completions of 2**4 and commands of 2**6 bytes, pages of 4 KiB, on (Base 2.0, 3.1.3.5)."""

READY, FATAL = 1 << 0, 1 << 1
"""CSTS (Base 2.0, 3.1.3.6)."""

CONTIGUOUS = 1 << 0
"""Dword 11 of a Create command: the queue is physically contiguous."""

BY_SGL = 1 << 6
"""Flags of a command whose data pointer is an SGL (PSDT, Base 2.0, 3.3.3.1)."""

ENTRIES = 16
"""Of each queue; one is in use."""

ADMIN, DATA = 0, 1
"""Queue ids."""

NAMESPACE = 1
"""QEMU's only one, if ``drive`` is given with the controller itself."""

PAGE, BLOCK = 4096, 512

MEMORY_SIZE = 2 * PAGE
"""Bytes that the host side needs: a page that the controller reads, and one that it writes."""

SEGMENT, PADDING = 0x800, PAGE + 0x800
"""In that memory, behind the queues: an SGL segment, and a block for padding bytes."""

TIMEOUT = 60.0
"""Seconds for a command. Measured: 0.005 for 4 MiB, and 10 where a fence refuses all of them
(QEMU tries, and logs, every four bytes)."""


class SglType(IntEnum):
    """What an SGL descriptor is (Base 2.0, 4.1.2.1)."""

    DATA_BLOCK = 0x0
    LAST_SEGMENT = 0x3


def descriptor(span: AddressRange, kind: SglType = SglType.DATA_BLOCK) -> bytes:
    """The SGL descriptor of *span*, of any alignment, in 16 bytes: address, length, type."""
    return DATA_POINTER.pack(span.base, span.size | kind << 60)


class Controller:
    """The controller with BAR 0 at *bar* and its queues in *memory*.

    That is MEMORY_SIZE bytes on a page boundary that it may reach. The I/O queues reuse
    the memory of the admin queues, which are not needed any more.
    """

    def __init__(self, qtest: Qtest, bar: int, memory: Scratch) -> None:
        """Switch it on and make a pair of I/O queues."""
        self._qtest, self._bar = qtest, bar
        self._memory, self._seen = memory.phys, memory.device
        self._stride = 4 << (self._read(ControllerProperty.CAPABILITIES, 8) >> 32 & 0xF)
        self._start_queues(ADMIN)
        self._enable()
        self._make_data_queues()
        self._start_queues(DATA)

    def transfer(self, opcode: Opcode, span: AddressRange) -> None:
        """READ fills *span* with the namespace's first bytes, WRITE takes those from it.

        At most 32 MiB: the number of blocks has 16 bits. What is missing to a whole block goes
        to, or comes from, a place of the controller's own memory.
        """
        spans = [span]
        if span.size % BLOCK:
            spans.append(AddressRange(self._seen + PADDING, -span.size % BLOCK))
        blocks = sum(part.size for part in spans) // BLOCK
        pointer = self._data_pointer(spans)
        command = SUBMISSION.pack(opcode, BY_SGL, 0, NAMESPACE, pointer, 0, 0, blocks - 1)
        self._run(command, f"{opcode.name} of {span}")

    def _data_pointer(self, spans: Sequence[AddressRange]) -> bytes:
        if len(spans) == 1:
            return descriptor(spans[0])
        segment = b"".join(descriptor(span) for span in spans)
        self._qtest.write(self._memory + SEGMENT, segment)
        return descriptor(AddressRange(self._seen + SEGMENT, len(segment)), SglType.LAST_SEGMENT)

    def _enable(self) -> None:
        self._write(ControllerProperty.CONFIGURATION, 4, 0)
        self._write(ControllerProperty.ADMIN_SIZES, 4, (ENTRIES - 1) << 16 | ENTRIES - 1)
        self._write(ControllerProperty.ADMIN_SUBMISSIONS, 8, self._seen)
        self._write(ControllerProperty.ADMIN_COMPLETIONS, 8, self._seen + PAGE)
        self._write(ControllerProperty.CONFIGURATION, 4, ENABLE)
        status = self._read(ControllerProperty.STATUS, 4)  # QEMU does it within the write
        if status & FATAL or not status & READY:
            raise ProtocolError(f"the NVMe controller did not start: CSTS is {status:#x}")

    def _make_data_queues(self) -> None:
        queue = (ENTRIES - 1) << 16 | DATA
        for opcode, address, more in (
            (Opcode.CREATE_COMPLETIONS, self._seen + PAGE, 0),
            (Opcode.CREATE_SUBMISSIONS, self._seen, DATA << 16),
        ):
            pointer = DATA_POINTER.pack(address, 0)
            command = SUBMISSION.pack(opcode, 0, 0, 0, pointer, queue, CONTIGUOUS | more, 0)
            self._run(command, f"admin command {opcode:#x}")

    def _start_queues(self, queue: int) -> None:
        self._queue, self._turn = queue, 0
        self._qtest.write(self._memory, bytes(MEMORY_SIZE))

    def _run(self, command: bytes, what: str) -> None:
        """Have the controller execute *command*; raise ProtocolError if it does not succeed."""
        slot = self._turn % ENTRIES
        phase = 1 - self._turn // ENTRIES % 2
        self._turn += 1
        self._qtest.write(self._memory + slot * SUBMISSION.size, command)
        self._ring(0, self._turn % ENTRIES)
        place = self._memory + PAGE + slot * COMPLETION.size
        status = self._completion(place, phase, what)
        self._ring(1, self._turn % ENTRIES)
        if status:
            raise ProtocolError(f"NVMe {what} ended with status {status:#x}, not success")

    def _completion(self, place: int, phase: int, what: str) -> int:
        """Wait for the completion at *place* to be new, and return its status."""
        begin = time.monotonic()
        while True:
            status = int(COMPLETION.unpack(self._qtest.read(place, COMPLETION.size))[3])
            if status & 1 == phase:
                return status >> 1
            if time.monotonic() - begin > TIMEOUT:
                raise ProtocolError(
                    f"NVMe {what} did not end in {TIMEOUT:g} s; does the virtual machine run, "
                    "and may the device be bus master?"
                )

    def _ring(self, which: int, value: int) -> None:
        """Ring a doorbell of the queue pair in use: 0 for submissions, 1 for completions."""
        offset = ControllerProperty.DOORBELLS + (2 * self._queue + which) * self._stride
        self._qtest.write_register(self._bar + offset, 4, value)

    def _read(self, place: ControllerProperty, width: int) -> int:
        return self._qtest.read_register(self._bar + place, width)

    def _write(self, place: ControllerProperty, width: int, value: int) -> None:
        self._qtest.write_register(self._bar + place, width, value)
