# SPDX-License-Identifier: Apache-2.0
"""Stage-2 tables that map every address to itself, except some hidden ranges.

Format: Arm DDI 0487, D8 (VMSAv8-64, 4 KiB granule, 40-bit addresses from level 1 on).
"""

import struct
from collections.abc import Iterable

from harness.base.address_range import AddressRange
from harness.machine.fence.smmu_tables import (
    BLOCK,
    ENTRIES,
    GIGABYTE,
    IS_BLOCK,
    IS_PAGE,
    IS_TABLE,
    PAGE,
)

ADDRESS_BITS = 40
"""The ``virt`` board's last device, its high PCI window, ends there (hw/arm/virt.c)."""

ROOT_ENTRIES = (1 << ADDRESS_BITS) // GIGABYTE
"""Two tables in a row."""

LEAF = 1 << 10 | 0b11 << 8 | 0b11 << 6 | 0b1111 << 2
"""Accessed, inner shareable, read and write, cached unless stage 1 says otherwise."""

_CHILD = {GIGABYTE: (BLOCK, IS_BLOCK), BLOCK: (PAGE, IS_PAGE)}
"""For the size that an entry maps: the size and the kind of an entry in the table below."""


def stage2_tables(base: int, hidden: Iterable[AddressRange]) -> bytes:
    """The tables at *base*, a multiple of 8 KiB; *hidden* ranges are whole pages."""
    image = bytearray()
    for number in range(ROOT_ENTRIES):
        image += struct.pack("<Q", number * GIGABYTE | LEAF | IS_BLOCK)
    for window in hidden:
        _hide(image, base, window)
    return bytes(image)


def _hide(image: bytearray, base: int, window: AddressRange) -> None:
    address = window.base
    while address < window.end:
        at, span = 8 * (address // GIGABYTE), GIGABYTE
        while address % span or window.end - address < span:
            table = _table(image, base, at, span)
            span = _CHILD[span][0]
            at = table + 8 * (address // span % ENTRIES)
        image[at : at + 8] = bytes(8)
        address += span


def _table(image: bytearray, base: int, at: int, span: int) -> int:
    """The offset of the table below the entry at offset *at*, which maps *span* bytes."""
    entry = int.from_bytes(image[at : at + 8], "little")
    if entry & 0b11 == IS_TABLE:
        return (entry & ~(PAGE - 1)) - base
    table = len(image)
    child, kind = _CHILD[span]
    first = entry & ~(span - 1)
    for number in range(ENTRIES):
        image += struct.pack("<Q", (first + number * child | LEAF | kind) if entry else 0)
    image[at : at + 8] = struct.pack("<Q", base + table | IS_TABLE)
    return table
