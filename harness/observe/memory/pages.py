# SPDX-License-Identifier: Apache-2.0
"""The use of pages of the page allocator, by their ``struct page``."""

from collections.abc import Iterator
from itertools import islice

import drgn
from drgn.helpers.linux.cpumask import for_each_online_cpu
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.mm import compound_head, page_to_pfn, pfn_to_page
from drgn.helpers.linux.mmzone import for_each_online_pgdat
from drgn.helpers.linux.percpu import per_cpu_ptr

from harness.observe.memory.kernel import KernelTypes, kernel_reading
from harness.observe.memory.memory_use import MemoryUse
from harness.observe.memory.page_types import Page, page_rules, typed, typed_region
from harness.observe.memory.tables import read_table

MAPPING_ANON, MAPPING_MOVABLE = 1, 2
"""Low bits of ``page->mapping`` (include/linux/page-flags.h, ``PAGE_MAPPING_*``)."""

LONGEST_LIST = 1 << 16
"""Most entries that are read of a list, which may grow meanwhile."""


def page_uses(types: KernelTypes, phys: int, count: int) -> tuple[MemoryUse, ...]:
    """The uses of *count* pages, the first at *phys*.

    Raises AddressError when one of them has no ``struct page``, NotInKernel when the kernel's
    encoding of page types is unknown.
    """
    with kernel_reading(f"the page structures from {phys:#x} on"):
        first = phys // types.page_size
        reader = _Reader(types.program, first, count)
        return tuple(reader.use(first + index) for index in range(count))


def pages_not_reserved(types: KernelTypes, phys: int, count: int) -> tuple[int, ...]:
    """The addresses of those of *count* pages from *phys* on that the page allocator has.

    Much faster than :func:`page_uses`; raises the same.
    """
    with kernel_reading(f"the page structures from {phys:#x} on"):
        page_size = types.page_size
        first = phys // page_size
        reserved = page_rules(types.program).reserved_flag
        table = read_table(pfn_to_page(types.program, first), count, ["flags"])
        places = [place for place, (flags,) in enumerate(table, first) if not flags & reserved]
        return tuple(place * page_size for place in places)


class _Reader:
    """Pages by number: one range is read at once, others when needed."""

    def __init__(self, program: drgn.Program, first: int, count: int) -> None:
        self._program, self._rules = program, page_rules(program)
        self._pages = dict(enumerate(_read(program, first, count), first))
        self._cpu_lists: frozenset[int] | None = None

    def use(self, pfn: int) -> MemoryUse:
        page = self._page(pfn)
        if page.link & 1:
            head = compound_head(pfn_to_page(self._program, pfn))
            page = self._page(page_to_pfn(head).value_())
        return typed_region(page, self._rules) or self._by_use(pfn, page)

    def _by_use(self, pfn: int, page: Page) -> MemoryUse:
        """The use of a page without type; one without references may be part of a larger page."""
        if page.mapping & MAPPING_ANON:
            return MemoryUse.ANONYMOUS
        if page.mapping and not page.mapping & MAPPING_MOVABLE:
            return MemoryUse.PAGE_CACHE
        if page.refcount == 0 and (self._in_free_block(pfn) or pfn in self._on_cpu_lists()):
            return MemoryUse.FREE
        return MemoryUse.ALLOCATED

    def _in_free_block(self, pfn: int) -> bool:
        """Only the first page of a free block is marked, with the block's order in ``private``."""
        for order in range(1, pfn.bit_length()):
            head = pfn & -(1 << order)
            page = self._pages.get(head) or self._known(head)
            if page is None:
                return False
            if typed(page, self._rules.buddy):
                return page.private >= order
        return False

    def _on_cpu_lists(self) -> frozenset[int]:
        """Free pages on per-CPU lists; their ``struct page`` does not say so."""
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


def _read(program: drgn.Program, first: int, count: int) -> Iterator[Page]:
    start = pfn_to_page(program, first)
    link = "compound_head" if start.type_.type.has_member("compound_head") else "compound_info"
    members = ("flags", link, "mapping", "private", "page_type", "_refcount")
    return (Page(*row) for row in read_table(start, count, members))


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
