# SPDX-License-Identifier: Apache-2.0
"""Accesses of the kernel that stage 2 refused, from the records in the firmware's RAM."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.base.hex_repr import hex_repr
from harness.machine.fence.firmware import CPU_SIZE

HEADER, RECORD = struct.Struct("<4Q"), struct.Struct("<3Q")
"""struct cpu, whose third word is the count, and struct refusal (guest/firmware/firmware.h)."""

KEPT = 32
"""Records that a CPU has room for: KEPT_REFUSALS."""

FETCH_CLASS, WRITE = 0x20, 1 << 6
"""Exception class of an instruction abort; the bit of a store (Arm DDI 0487, ESR_EL2)."""


@hex_repr
@dataclass(frozen=True)
class CpuRefusal:
    """An access of the kernel or of user space by CPU number *cpu*.

    *address* is guest-physical, *pc* the virtual address of the instruction, *syndrome* ESR_EL2.
    """

    cpu: int
    address: int
    syndrome: int
    pc: int

    @property
    def access(self) -> Literal["read", "write", "fetch"]:
        """The kind of access."""
        if self.syndrome >> 26 == FETCH_CLASS:
            return "fetch"
        return "write" if self.syndrome & WRITE else "read"

    def __str__(self) -> str:
        return f"CPU {self.cpu} {self.access} {self.address:#x} refused at PC {self.pc:#x}"


@dataclass(frozen=True)
class CpuRefusals:
    """The number of refusals since the reset, and the last 32 of each CPU, oldest first."""

    count: int
    last: tuple[CpuRefusal, ...]


def cpu_refusals(log: bytes) -> CpuRefusals:
    """Read all CPUs' records from the content of ``Firmware.log``."""
    count = 0
    last: list[CpuRefusal] = []
    for cpu in range(len(log) // CPU_SIZE):
        memory = log[cpu * CPU_SIZE : (cpu + 1) * CPU_SIZE]
        refused = HEADER.unpack_from(memory)[2]
        count += refused
        last += _records(cpu, memory, refused)
    return CpuRefusals(count, tuple(last))


def _records(cpu: int, memory: bytes, refused: int) -> Iterator[CpuRefusal]:
    for number in range(max(0, refused - KEPT), refused):
        at = HEADER.size + number % KEPT * RECORD.size
        yield CpuRefusal(cpu, *RECORD.unpack_from(memory, at))
