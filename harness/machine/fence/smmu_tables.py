# SPDX-License-Identifier: Apache-2.0
"""Constant tables for an SMMUv3 that maps some windows to themselves, and nothing else.

Formats: Arm IHI 0070 (SMMUv3), 5.2 stream table entry, 5.4 context descriptor, 4 commands; Arm
DDI 0487, D8 (VMSAv8-64, 4 KiB granule). QEMU 7.2 has stage 1 only (hw/arm/smmuv3.c).
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from harness.base.address_range import AddressRange
from harness.base.hex_repr import hex_repr

PAGE, BLOCK, GIGABYTE = 1 << 12, 1 << 21, 1 << 30
ENTRIES = 512
"""Entries of a table of any level."""

STREAM_BITS = 11
"""Stream ids are PCI requester ids: buses 0 to 7."""

STREAM_ENTRY, COMMAND = struct.Struct("<QQ48x"), struct.Struct("<QQ")
DESCRIPTOR = struct.Struct("<QQ48x")

INPUT_BITS = 39
"""Bits of an IOVA: three levels of tables."""

LEAF = 1 << 10 | 0b11 << 8 | 1 << 6
"""Accessed, inner shareable, for unprivileged accesses too, memory attribute 0."""

IS_PAGE, IS_BLOCK, IS_TABLE = 0b11, 0b01, 0b11


class Stream(IntEnum):
    """How a device's accesses are treated (STE.Config)."""

    ABORT = 0b000
    BYPASS = 0b100
    TRANSLATE = 0b101


class Offset(IntEnum):
    """The offset of each part from the base of the tables."""

    STREAMS = 0
    CONTEXT = 0x4_0000
    ROOT = 0x4_1000
    COMMANDS = 0x4_2000
    FIRST_FREE = 0x5_0000


@hex_repr
@dataclass(frozen=True)
class Tables:
    """The *image* of all tables for address *base*; *commands* is the number of queued commands."""

    base: int
    image: bytes
    commands: int


def smmu_tables(base: int, windows: Iterable[AddressRange], bypass: Iterable[int]) -> Tables:
    """Tables that give every device on bus 1 and above access to *windows*, in whole pages.

    *bypass* are the stream ids of bridges, whose own writes are hot-plug interrupts; all other
    devices of bus 0 have access to nothing.
    """
    image = bytearray(Offset.FIRST_FREE)
    _write_streams(image, base, set(bypass))
    _write_context(image, base)
    commands = b"".join(COMMAND.pack(*words) for words in _COMMANDS)
    image[Offset.COMMANDS : Offset.COMMANDS + len(commands)] = commands
    for window in windows:
        _map(image, base, window)
    return Tables(base, bytes(image), len(_COMMANDS))


_CFGI_ALL, _TLBI_NSNH_ALL, _SYNC = (0x04, 31), (0x30, 0), (0x46, 0)
_COMMANDS = (_CFGI_ALL, _TLBI_NSNH_ALL, _SYNC)


def _write_streams(image: bytearray, base: int, bypass: set[int]) -> None:
    for stream in range(1 << STREAM_BITS):
        if stream in bypass:
            word = Stream.BYPASS << 1
        elif stream >> 8:
            word = Stream.TRANSLATE << 1 | (base + Offset.CONTEXT)
        else:
            word = Stream.ABORT << 1
        STREAM_ENTRY.pack_into(image, Offset.STREAMS + stream * STREAM_ENTRY.size, word | 1, 0)


def _write_context(image: bytearray, base: int) -> None:
    word = 64 - INPUT_BITS  # T0SZ; TG0 = 0 is the 4 KiB granule
    word |= 1 << 8 | 1 << 10 | 3 << 12  # walks: write-back, inner shareable
    word |= 1 << 30 | 1 << 31  # no second half of the address space; valid
    word |= 5 << 32 | 1 << 41  # 48-bit output; AArch64
    word |= 1 << 45 | 1 << 46 | 1 << 47 | 1 << 48  # record and abort faults; ASID 1
    DESCRIPTOR.pack_into(image, Offset.CONTEXT, word, base + Offset.ROOT)


def _map(image: bytearray, base: int, window: AddressRange) -> None:
    address = window.base
    while address < window.end:
        if address % BLOCK == 0 and window.end - address >= BLOCK:
            middle = _table(image, base, Offset.ROOT, address // GIGABYTE)
            _set(image, middle, address // BLOCK, address | LEAF | IS_BLOCK)
            address += BLOCK
        else:
            middle = _table(image, base, Offset.ROOT, address // GIGABYTE)
            last = _table(image, base, middle, address // BLOCK)
            _set(image, last, address // PAGE, address | LEAF | IS_PAGE)
            address += PAGE


def _table(image: bytearray, base: int, parent: int, index: int) -> int:
    """The offset of the table in that entry of *parent*; a new one if there is none."""
    at = parent + 8 * (index % ENTRIES)
    entry = int.from_bytes(image[at : at + 8], "little")
    if not entry:
        entry = base + len(image) | IS_TABLE
        image[at : at + 8] = entry.to_bytes(8, "little")
        image += bytes(PAGE)
    return (entry & ~(PAGE - 1)) - base


def _set(image: bytearray, table: int, index: int, entry: int) -> None:
    at = table + 8 * (index % ENTRIES)
    image[at : at + 8] = entry.to_bytes(8, "little")
