# SPDX-License-Identifier: Apache-2.0
"""Build the firmware of guest/firmware, and the content of the flash bank that it runs from.

The bank contains the code at 0, then its orders (guest/firmware/firmware.h), the stage-2 tables
and those of the SMMU. The addresses in RAM are those that devicetree/payload.py allows for.
"""

import struct
from collections.abc import Sequence
from enum import IntEnum

from harness.base.address_range import AddressRange
from harness.machine.bare_program import bare_program
from harness.machine.fence.cache_log import CACHE_LOG_SIZE
from harness.machine.fence.fence import Constant, Firmware, Register
from harness.machine.fence.smmu import SMMU
from harness.machine.fence.smmu_tables import Tables
from harness.machine.fence.stage2 import stage2_tables

FLASH = AddressRange(0, 128 << 20)
"""Both banks (QEMU, hw/arm/virt.c, base_memmap[VIRT_FLASH])."""

SMMU_REGISTERS = AddressRange(SMMU, 0x2_0000)

RAM = AddressRange(0x4000_0000, 2 << 20)
"""RAM of the firmware. QEMU writes a devicetree to its first MiB, which is not used: the logs of
cache maintenance take its place."""

CPUS, CPU_SIZE = 8, 0x1000
CPU_MEMORY = AddressRange(0x4010_0000, CPUS * CPU_SIZE)
"""Records and stacks, CPU_SIZE bytes a CPU (guest/firmware/constants.h)."""

EVENTS = AddressRange(0x4018_0000, 0x1_0000)
"""The SMMU's event queue."""

CACHE_LOG = AddressRange(RAM.base, CPUS * CACHE_LOG_SIZE)
"""The logs of the CPUs' cache maintenance (guest/firmware/constants.h)."""

BOUNCED_TABLE = CPU_MEMORY.end
"""Where the harness writes cache_log.py:bounced_table()."""

FIRMWARE = Firmware(
    kernel=0x4020_0000,
    initrd=0x4800_0000,
    devicetree=0x4A00_0000,
    hidden=RAM,
    log=CPU_MEMORY,
)

HIDDEN = (FLASH, SMMU_REGISTERS, RAM)
"""Ranges that stage 2 hides from the kernel."""


class Bank(IntEnum):
    """The address of each part of the flash bank, which begins at 0."""

    CODE = 0
    ORDERS = 0x1_0000
    STAGE2 = 0x2_0000
    SMMU = 0x4_0000


ORDERS, REGISTER = struct.Struct("<6Q"), struct.Struct("<3Q")


def flash_parts(
    tables: Tables, setup: Sequence[Register], checks: Sequence[Register], *, logs_caches: bool
) -> tuple[Constant, ...]:
    """The parts of the bank. The firmware writes *setup*, then verifies *checks*; *tables*: SMMU.

    With *logs_caches* it logs the kernel's cache maintenance, one exception for each line. Raises
    BuildError when the firmware does not compile.
    """
    return (
        Constant(Bank.CODE, firmware_code()),
        Constant(Bank.ORDERS, _orders(setup, checks, logs_caches)),
        Constant(Bank.STAGE2, stage2_tables(Bank.STAGE2, HIDDEN)),
        Constant(Bank.SMMU, tables.image),
    )


def flash_image(parts: Sequence[Constant]) -> bytes:
    """The bank's content."""
    image = bytearray()
    for part in parts:
        assert len(image) <= part.address, f"the part before {part} is too large"
        image += bytes(part.address - len(image)) + part.content
    return bytes(image)


def firmware_code() -> bytes:
    """The compiled firmware, linked for address 0."""
    return bare_program("firmware", "firmware")


def _orders(setup: Sequence[Register], checks: Sequence[Register], logs_caches: bool) -> bytes:
    payload = FIRMWARE.kernel, FIRMWARE.devicetree
    head = ORDERS.pack(Bank.STAGE2, *payload, logs_caches, len(setup), len(checks))
    registers = (REGISTER.pack(r.address, r.width, r.value) for r in (*setup, *checks))
    return head + b"".join(registers)
