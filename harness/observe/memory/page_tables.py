# SPDX-License-Identifier: Apache-2.0
"""Find the pages of the kernel's own page tables."""

import struct

from harness.observe.memory.kernel import KernelTypes

ROOTS = ("swapper_pg_dir", "reserved_pg_dir", "tramp_pg_dir", "idmap_pg_dir")
"""Root tables within the image, a page each (arch/arm64/kernel/vmlinux.lds.S, 6.12)."""

ENTRY = struct.Struct("<Q")

NEXT_LEVEL = 0b11
"""Low bits of a descriptor above the last level that points to a table (Arm ARM, D8.3)."""

PHYSICAL_BITS, ADDRESS_BITS = 48, 64
"""A descriptor has a table's address in the bits from those of a page on; RAM lies below 2^48."""


def kernel_page_tables(types: KernelTypes) -> frozenset[int]:
    """The guest-physical address of every page of the kernel's page tables.

    The walk also finds those made during boot, whose ``struct page`` says only "reserved". It
    skips descriptors that point outside RAM, which a rogue may have written.
    """
    roots = [symbol for name in ROOTS if (symbol := types.symbols.find(name))]
    found = {types.image.to_phys(symbol.address) for symbol in roots}
    page_bits, level_bits = translation_bits(types.page_size)
    table_bits = ADDRESS_BITS - int(types.vmcoreinfo("NUMBER(TCR_EL1_T1SZ)"), 0) - page_bits
    level = {types.image.to_phys(types.symbols.address(ROOTS[0]))}
    for _ in range(-(-table_bits // level_bits) - 1):
        level = {child for table in level for child in _children(types, table)}
        found |= level
    return frozenset(found)


def translation_bits(page_size: int) -> tuple[int, int]:
    """The bits of an address that one page, and that one level of tables, translates.

    A table is a page of 8-byte descriptors at every level (Arm ARM, D8.2).
    """
    page_bits = page_size.bit_length() - 1
    return page_bits, page_bits - 3


def address_mask(page_size: int) -> int:
    """The bits of an output address in a descriptor."""
    return (1 << PHYSICAL_BITS) - page_size


def _children(types: KernelTypes, table: int) -> set[int]:
    mask = address_mask(types.page_size)
    rows = ENTRY.iter_unpack(types.memory.read(table, types.page_size))
    pointers = {row & mask for (row,) in rows if row & NEXT_LEVEL == NEXT_LEVEL}
    return {page for page in pointers if any(ram.contains(page) for ram in types.memory.ranges)}
