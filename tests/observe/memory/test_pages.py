# SPDX-License-Identifier: Apache-2.0
"""How the use of a page is told from its struct page, before and since 6.12."""

from pathlib import Path

import pytest
from memory_stub import stub_program

from harness.base.errors import NotInKernel
from harness.observe.memory import MemoryUse
from harness.observe.memory.page_types import Page, PageRules, page_rules, typed_region

FLAGS = "enum pageflags {{ PG_locked, PG_reserved = 5{slab} }} flags;\n"
TYPES = (
    "enum pagetype {{ {prefix}_buddy = 0xf0, {prefix}_table = 0xf2, {prefix}_slab = 0xf5 }} t;\n"
)

RESERVED_BIT, SLAB_BIT = 1 << 5, 1 << 9
UNTYPED = 0xFFFFFFFF


def rules(place: Path, text: str) -> PageRules:
    return page_rules(stub_program(place, {"mm/page_alloc.c": text}))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> PageRules:
    """Of 6.1: slab is a flag, a type is a cleared bit."""
    return rules(tmp_path_factory.mktemp("old"), FLAGS.format(slab=", PG_slab = 9"))


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> PageRules:
    """Of 6.12: a type is a number in the top byte."""
    text = FLAGS.format(slab="") + TYPES.format(prefix="PGTY")
    return rules(tmp_path_factory.mktemp("new"), text)


def page(page_type: int = UNTYPED, flags: int = 0) -> Page:
    return Page(flags=flags, link=0, mapping=0, private=0, page_type=page_type, refcount=1)


@pytest.mark.parametrize(
    ("what", "region"),
    [
        (page(0xF2FFFFFF), MemoryUse.PAGE_TABLE),
        (page(0xF0FFFFFF), MemoryUse.FREE),
        (page(0xF5FFFFFF), MemoryUse.SLAB),
        (page(flags=RESERVED_BIT), MemoryUse.RESERVED),
        (page(), None),
        (page(0), None),
    ],
)
def test_a_type_is_the_top_byte_since_6_12(
    new: PageRules, what: Page, region: MemoryUse | None
) -> None:
    assert typed_region(what, new) is region


@pytest.mark.parametrize(
    ("what", "region"),
    [
        (page(UNTYPED & ~0x200), MemoryUse.PAGE_TABLE),
        (page(UNTYPED & ~0x80), MemoryUse.FREE),
        (page(flags=SLAB_BIT), MemoryUse.SLAB),
        (page(flags=RESERVED_BIT), MemoryUse.RESERVED),
        (page(), None),
        (page(0), None),
    ],
)
def test_a_type_is_a_cleared_bit_in_6_1(
    old: PageRules, what: Page, region: MemoryUse | None
) -> None:
    assert typed_region(what, old) is region


def test_a_kernel_with_other_type_names_is_not_guessed_at(tmp_path: Path) -> None:
    text = FLAGS.format(slab="") + TYPES.format(prefix="PG")

    with pytest.raises(NotInKernel, match="no constant PGTY_buddy"):
        rules(tmp_path, text)


def test_a_kernel_without_page_types_of_either_kind_is_not_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(NotInKernel, match="no type enum pagetype"):
        rules(tmp_path, FLAGS.format(slab=""))


def test_a_kernel_that_reserves_pages_otherwise_is_not_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(NotInKernel, match="no constant PG_reserved"):
        rules(tmp_path, "enum pageflags { PG_slab } flags;\n")
