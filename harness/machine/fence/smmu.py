# SPDX-License-Identifier: Apache-2.0
"""An SMMU that gives PCI devices access to some windows only; its tables are in read-only flash.

Registers: Arm IHI 0070, 6.1; addresses of the ``virt`` board: QEMU, hw/arm/virt.c, base_memmap.
"""

from collections.abc import Sequence
from enum import IntEnum, IntFlag

from harness.base.address_range import AddressRange
from harness.machine.fence.fence import SCRATCH, Register
from harness.machine.fence.smmu_tables import STREAM_BITS, Offset, Tables, smmu_tables

SMMU = 0x0905_0000
DOORBELL = AddressRange(0x0809_0000, 0x1000)
"""The page of GITS_TRANSLATER: an MSI is a DMA write, and an SMMU translates it like any other."""

BANK, BANK_BASE = 1, 0x0400_0000
"""Flash bank 1: the CPU would run code in bank 0 instead of the kernel."""

EVENTS = AddressRange(0x47FE_0000, 0x1_0000)
"""The event queue's memory (dts/fence-events.dtso): the SMMU writes it, so it cannot be flash."""

EVENT_SIZE = 32
EVENT_BITS = (EVENTS.size // EVENT_SIZE).bit_length() - 1


class Smmu(IntEnum):
    """Register offsets."""

    CR0 = 0x20
    CR0ACK = 0x24
    STRTAB_BASE = 0x80
    STRTAB_BASE_CFG = 0x88
    CMDQ_BASE = 0x90
    CMDQ_PROD = 0x98
    CMDQ_CONS = 0x9C
    EVENTQ_BASE = 0xA0
    EVENTQ_PROD = 0x1_00A8
    EVENTQ_CONS = 0x1_00AC


class Cr0(IntFlag):
    """Bits of CR0."""

    ENABLE = 1 << 0
    EVENTS = 1 << 2
    COMMANDS = 1 << 3


READ_ALLOCATE = 1 << 62
RUNNING = Cr0.ENABLE | Cr0.EVENTS | Cr0.COMMANDS
COMMAND_BITS = 5


def window_tables(base: int, windows: Sequence[AddressRange], ports: int) -> Tables:
    """The tables at *base*: windows, scratch memory and doorbell; *ports* are slots 1, 2, ...."""
    bridges = [port + 1 << 3 for port in range(ports)]
    return smmu_tables(base, (*windows, SCRATCH, DOORBELL), bridges)


def program(tables: Tables, events: int, event_bits: int) -> list[Register]:
    """The register writes that enable the SMMU, with 2**event_bits events at *events*."""
    writes = (
        (Smmu.CR0, 4, 0),
        (Smmu.STRTAB_BASE, 8, tables.base + Offset.STREAMS | READ_ALLOCATE),
        (Smmu.STRTAB_BASE_CFG, 4, STREAM_BITS),
        (Smmu.CMDQ_BASE, 8, tables.base + Offset.COMMANDS | COMMAND_BITS),
        (Smmu.CMDQ_PROD, 4, 0),
        (Smmu.CMDQ_CONS, 4, 0),
        (Smmu.EVENTQ_BASE, 8, events | event_bits),
        (Smmu.EVENTQ_PROD, 4, 0),
        (Smmu.EVENTQ_CONS, 4, 0),
        (Smmu.CR0, 4, Cr0.EVENTS | Cr0.COMMANDS),
        (Smmu.CMDQ_PROD, 4, tables.commands),
        (Smmu.CR0, 4, RUNNING),
    )
    return [Register(SMMU + offset, width, value) for offset, width, value in writes]


def enforced(tables: Tables) -> list[Register]:
    """The values of the registers while the SMMU is enabled with *tables*."""
    values = (
        (Smmu.CR0, 4, RUNNING),
        (Smmu.CR0ACK, 4, RUNNING),
        (Smmu.STRTAB_BASE, 8, tables.base + Offset.STREAMS | READ_ALLOCATE),
        (Smmu.STRTAB_BASE_CFG, 4, STREAM_BITS),
        (Smmu.CMDQ_CONS, 4, tables.commands),
    )
    return [Register(SMMU + offset, width, value) for offset, width, value in values]
