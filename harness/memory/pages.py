# SPDX-License-Identifier: Apache-2.0
"""What the page allocator uses a page for, by its ``struct page``."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import drgn
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.mm import compound_head, page_to_pfn, pfn_to_page
from drgn.helpers.linux.mmzone import for_each_online_pgdat
from drgn.helpers.linux.percpu import per_cpu_ptr

from harness.memory.kernel import KernelTypes, kernel_reading
from harness.memory.region import Region
from harness.memory.tables import read_table

PAGE_SIZE = 4096
"""In bytes; ``CONFIG_ARM64_4K_PAGES``."""

MAPPING_ANON, MAPPING_MOVABLE = 1, 2
"""Low bits of ``page->mapping`` (include/linux/page-flags.h, ``PAGE_MAPPING_*``)."""

OLD_TYPE_BASE, OLD_BUDDY, OLD_TABLE = 0xF0000000, 0x80, 0x200
"""Up to 6.9 a type was a cleared bit under a set base (6.1 include/linux/page-flags.h)."""

TYPE_SHIFT = 24
"""Since 6.12 a type is a number in the top byte (``enum pagetype``, same file)."""

LONGEST_LIST = 1 << 16
"""A list that grows while it is walked is left after this many entries."""


@dataclass(frozen=True)
class Page:
    """The members of one ``struct page`` that tell its use; *link* is the tail page's word."""

    flags: int
    link: int
    mapping: int
    private: int
    page_type: int
    refcount: int


@dataclass(frozen=True)
class Rules:
    """How this kernel writes a page's type: ``page_type & mask == value`` for each."""

    buddy: tuple[int, int]
    table: tuple[int, int]
    slab: tuple[int, int] | None
    slab_flag: int
    reserved_flag: int

    def is_slab(self, page: Page) -> bool:
        """Whether the slab allocator has *page*: a type since 6.10, a flag before."""
        if self.slab is not None:
            return _typed(page, self.slab)
        return bool(page.flags & self.slab_flag)


def page_regions(types: KernelTypes, phys: int, count: int) -> tuple[Region, ...]:
    """What the page allocator uses *count* pages from the one at *phys* on for.

    Raises AddressError when the kernel has no ``struct page`` for one of them, InputError when
    this kernel's way of typing pages is not known.
    """
    with kernel_reading(f"the page structures from {phys:#x} on"):
        reader = _Reader(types.program, phys // PAGE_SIZE, count)
        return tuple(reader.region(phys // PAGE_SIZE + index) for index in range(count))


class _Reader:
    """Pages by number; those of one range are read at once, others as they are needed."""

    def __init__(self, program: drgn.Program, first: int, count: int) -> None:
        self._program, self._rules = program, _rules(program)
        self._pages = dict(enumerate(_read(program, first, count), first))
        self._cpu_lists: frozenset[int] | None = None

    def region(self, pfn: int) -> Region:
        page = self._page(pfn)
        if page.link & 1:
            head = compound_head(pfn_to_page(self._program, pfn))
            page = self._page(page_to_pfn(head).value_())
        return _by_type(page, self._rules) or self._by_use(pfn, page)

    def _by_use(self, pfn: int, page: Page) -> Region:
        """The region of an untyped page; one with no users may still be a part of something."""
        if page.mapping & MAPPING_ANON:
            return Region.ANONYMOUS
        if page.mapping and not page.mapping & MAPPING_MOVABLE:
            return Region.PAGE_CACHE
        if page.refcount == 0 and (self._in_free_block(pfn) or pfn in self._on_cpu_lists()):
            return Region.FREE
        return Region.ALLOCATED

    def _in_free_block(self, pfn: int) -> bool:
        """Only the first page of a free block is marked, with the block's order in ``private``."""
        for order in range(1, pfn.bit_length()):
            head = pfn & -(1 << order)
            page = self._pages.get(head) or self._known(head)
            if page is None:
                return False
            if _typed(page, self._rules.buddy):
                return page.private >= order
        return False

    def _on_cpu_lists(self) -> frozenset[int]:
        """Free pages that a CPU keeps for itself; nothing in the page itself tells them."""
        if self._cpu_lists is None:
            self._cpu_lists = frozenset(_cpu_list_pages(self._program))
        return self._cpu_lists

    def _known(self, pfn: int) -> Page | None:
        try:
            return self._page(pfn)
        except drgn.FaultError:
            return None

    def _page(self, pfn: int) -> Page:
        if pfn not in self._pages:
            self._pages[pfn] = next(_read(self._program, pfn, 1))
        return self._pages[pfn]


def _by_type(page: Page, rules: Rules) -> Region | None:
    if page.flags & rules.reserved_flag:
        return Region.RESERVED
    if rules.is_slab(page):
        return Region.SLAB
    if _typed(page, rules.table):
        return Region.PAGE_TABLE
    return Region.FREE if _typed(page, rules.buddy) else None


def _typed(page: Page, kind: tuple[int, int]) -> bool:
    mask, value = kind
    return page.page_type & mask == value


def _read(program: drgn.Program, first: int, count: int) -> Iterator[Page]:
    start = pfn_to_page(program, first)
    link = "compound_head" if start.type_.type.has_member("compound_head") else "compound_info"
    members = ("flags", link, "mapping", "private", "page_type", "_refcount")
    return (Page(*row) for row in read_table(start, count, members))


def _rules(program: drgn.Program) -> Rules:
    flags = _enumerators(program, "enum pageflags")
    kinds = _enumerators(program, "enum pagetype")
    slab_flag = 1 << flags["PG_slab"] if "PG_slab" in flags else 0
    reserved_flag = 1 << flags["PG_reserved"]
    if kinds:
        top = 0xFF << TYPE_SHIFT
        buddy, table, slab = (
            (top, kinds[f"PGTY_{name}"] << TYPE_SHIFT) for name in ("buddy", "table", "slab")
        )
        return Rules(buddy, table, slab, slab_flag, reserved_flag)
    return Rules(
        buddy=(OLD_TYPE_BASE | OLD_BUDDY, OLD_TYPE_BASE),
        table=(OLD_TYPE_BASE | OLD_TABLE, OLD_TYPE_BASE),
        slab=None,
        slab_flag=slab_flag,
        reserved_flag=reserved_flag,
    )


def _enumerators(program: drgn.Program, name: str) -> dict[str, int]:
    try:
        members = program.type(name).enumerators or ()
    except LookupError:
        return {}
    return {member.name: member.value for member in members}


def _cpu_list_pages(program: drgn.Program) -> Iterator[int]:
    """Yield the number of every page on a CPU's own free lists (mm/page_alloc.c:free_unref_page).

    There is a list for each of a few migrate types per order; its entries are whole blocks.
    """
    per_order = program["MIGRATE_PCPTYPES"].value_()
    for zone in _zones(program):
        for cpu in for_each_online_cpu(program):
            for index, head in enumerate(per_cpu_ptr(zone.per_cpu_pageset, cpu).lists):
                blocks = list_for_each_entry("struct page", head.address_of_(), "lru")
                for block in islice(blocks, LONGEST_LIST):
                    first = page_to_pfn(block).value_()
                    yield from range(first, first + (1 << index // per_order))


def _zones(program: drgn.Program) -> Iterator[drgn.Object]:
    for node in for_each_online_pgdat(program):
        yield from (zone for zone in node.node_zones if zone.present_pages)
