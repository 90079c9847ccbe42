# SPDX-License-Identifier: Apache-2.0
"""Address ranges: their edges, and how they are shown."""

from dataclasses import dataclass

import pytest

from harness.base.address_range import AddressRange, joined

RANGE = AddressRange(0x1000, 0x100)


@dataclass(frozen=True, repr=False)
class Named(AddressRange):
    """A range with a name."""

    name: str


@pytest.mark.parametrize(
    ("address", "size", "inside"),
    [
        (0x1000, 1, True),
        (0x10FF, 1, True),
        (0x1000, 0x100, True),
        (0xFFF, 1, False),
        (0x1100, 1, False),
        (0x10FF, 2, False),
        (0xFFF, 0x200, False),
    ],
)
def test_a_range_contains_only_what_lies_inside_whole(
    address: int, size: int, inside: bool
) -> None:
    assert RANGE.contains(address, size) is inside


@pytest.mark.parametrize(
    ("base", "size", "common"),
    [
        (0x1100, 1, False),
        (0xFFF, 1, False),
        (0x10FF, 1, True),
        (0xF00, 0x400, True),
        (0x1010, 0x10, True),
        (0x1010, 0, False),
    ],
)
def test_ranges_overlap_if_they_share_a_byte(base: int, size: int, common: bool) -> None:
    other = AddressRange(base, size)

    assert RANGE.overlaps(other) is common
    assert other.overlaps(RANGE) is common


@pytest.mark.parametrize(
    ("ranges", "whole"),
    [
        ([(0x2000, 0x10), (0x1000, 0x1000)], [(0x1000, 0x1010)]),
        ([(0x1000, 0x10), (0x1010, 0x10), (0x1020, 4)], [(0x1000, 0x24)]),
        ([(0x2000, 0x10), (0x1000, 0x10)], [(0x1000, 0x10), (0x2000, 0x10)]),
        ([], []),
    ],
)
def test_ranges_that_touch_are_joined(
    ranges: list[tuple[int, int]], whole: list[tuple[int, int]]
) -> None:
    assert joined(AddressRange(*one) for one in ranges) == tuple(AddressRange(*w) for w in whole)


def test_addresses_are_shown_in_hex() -> None:
    pool = Named(0x4F00_0000, 0x100_0000, "pool")

    assert str(AddressRange(0x4F00_0000, 0x100_0000)) == "[0x4f000000, 0x50000000)"
    assert repr(AddressRange(0x4F00_0000, 0x100_0000)) == "[0x4f000000, 0x50000000)"
    assert repr(pool) == "Named([0x4f000000, 0x50000000), name='pool')"
