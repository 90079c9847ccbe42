# SPDX-License-Identifier: Apache-2.0
"""Find the pages of the kernel's own page tables."""

import struct

from harness.observe.memory.kernel import PAGE_SIZE, KernelTypes

ROOTS = ("swapper_pg_dir", "reserved_pg_dir", "tramp_pg_dir", "idmap_pg_dir")
"""Root tables within the image, a page each (arch/arm64/kernel/vmlinux.lds.S, 6.12)."""

TABLE = struct.Struct("<512Q")

NEXT_LEVEL = 0b11
"""Low bits of a descriptor above the last level that points to a table (Arm ARM, D8.3)."""

ADDRESS = 0x0000FFFFFFFFF000
"""The bits of a table's address in such a descriptor, with 4 KiB pages; RAM lies below 2^48."""

PAGE_BITS, LEVEL_BITS, ADDRESS_BITS = 12, 9, 64


def kernel_page_tables(types: KernelTypes) -> frozenset[int]:
    """The guest-physical address of every page of the kernel's page tables.

    The walk also finds those made during boot, whose ``struct page`` says only "reserved". It
    skips descriptors that point outside RAM, which a rogue may have written.
    """
    roots = [symbol for name in ROOTS if (symbol := types.symbols.find(name))]
    found = {types.image.to_phys(symbol.address) for symbol in roots}
    table_bits = ADDRESS_BITS - int(types.vmcoreinfo("NUMBER(TCR_EL1_T1SZ)"), 0) - PAGE_BITS
    level = {types.image.to_phys(types.symbols.address(ROOTS[0]))}
    for _ in range(-(-table_bits // LEVEL_BITS) - 1):
        level = {child for table in level for child in _children(types, table)}
        found |= level
    return frozenset(found)


def _children(types: KernelTypes, table: int) -> set[int]:
    rows = TABLE.unpack(types.memory.read(table, PAGE_SIZE))
    pointers = {row & ADDRESS for row in rows if row & NEXT_LEVEL == NEXT_LEVEL}
    return {page for page in pointers if any(ram.contains(page) for ram in types.memory.ranges)}
