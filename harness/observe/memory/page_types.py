# SPDX-License-Identifier: Apache-2.0
"""How a kernel encodes the use of a page in its ``struct page``."""

from dataclasses import dataclass

import drgn

from harness.base.errors import NotInKernel
from harness.base.hex_repr import hex_repr
from harness.observe.memory.memory_use import MemoryUse

WHAT = "the use of pages"

OLD_TYPE_BASE, OLD_BUDDY, OLD_TABLE = 0xF0000000, 0x80, 0x200
"""Up to 6.9 a type was a cleared bit under a set base (6.1 include/linux/page-flags.h)."""

TYPE_SHIFT = 24
"""Since 6.12 a type is a number in the top byte (``enum pagetype``, same file)."""


@hex_repr
@dataclass(frozen=True)
class Page:
    """Members of one ``struct page``; *link* is ``compound_head``, set in a tail page."""

    flags: int
    link: int
    mapping: int
    private: int
    page_type: int
    refcount: int


@dataclass(frozen=True)
class PageRules:
    """How this kernel encodes a page's type: ``page_type & mask == value``, as (mask, value)."""

    buddy: tuple[int, int]
    table: tuple[int, int]
    slab: tuple[int, int] | None
    slab_flag: int
    reserved_flag: int

    def is_slab(self, page: Page) -> bool:
        """Whether the slab allocator has *page*: a type since 6.10, a flag before."""
        if self.slab is not None:
            return typed(page, self.slab)
        return bool(page.flags & self.slab_flag)


def page_rules(program: drgn.Program) -> PageRules:
    """Return the rules of the kernel of *program*; raises NotInKernel for an unknown encoding."""
    flags, kinds = _enumerators(program, "enum pageflags"), _enumerators(program, "enum pagetype")
    reserved_flag = 1 << _value(flags, "PG_reserved")
    if kinds:
        top = 0xFF << TYPE_SHIFT
        buddy, table, slab = (
            (top, _value(kinds, name) << TYPE_SHIFT)
            for name in ("PGTY_buddy", "PGTY_table", "PGTY_slab")
        )
        return PageRules(buddy, table, slab, 0, reserved_flag)
    if "PG_slab" not in flags:  # removed in the version that added enum pagetype
        raise NotInKernel(WHAT, "type", "enum pagetype")
    return PageRules(
        buddy=(OLD_TYPE_BASE | OLD_BUDDY, OLD_TYPE_BASE),
        table=(OLD_TYPE_BASE | OLD_TABLE, OLD_TYPE_BASE),
        slab=None,
        slab_flag=1 << flags["PG_slab"],
        reserved_flag=reserved_flag,
    )


def _enumerators(program: drgn.Program, name: str) -> dict[str, int]:
    try:
        members = program.type(name).enumerators or ()
    except LookupError:
        return {}
    return {member.name: member.value for member in members}


def _value(enumerators: dict[str, int], name: str) -> int:
    if name not in enumerators:
        raise NotInKernel(WHAT, "constant", name)
    return enumerators[name]


def typed_region(page: Page, rules: PageRules) -> MemoryUse | None:
    """Return the use of a head page by its flags and type; None if they do not say it."""
    if page.flags & rules.reserved_flag:
        return MemoryUse.RESERVED
    if rules.is_slab(page):
        return MemoryUse.SLAB
    if typed(page, rules.table):
        return MemoryUse.PAGE_TABLE
    return MemoryUse.FREE if typed(page, rules.buddy) else None


def typed(page: Page, kind: tuple[int, int]) -> bool:
    """Whether *page* has the type *kind*, one of a kernel's :class:`PageRules`."""
    mask, value = kind
    return page.page_type & mask == value
