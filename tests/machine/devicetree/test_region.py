# SPDX-License-Identifier: Apache-2.0
"""Ranges of memory: their edges."""

import pytest

from harness.machine.devicetree import DynamicPool, Region

REGION = Region("r", 0x1000, 0x100)


@pytest.mark.parametrize(
    ("addr", "size", "inside"),
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
def test_a_region_contains_only_ranges_that_lie_inside_whole(
    addr: int, size: int, inside: bool
) -> None:
    assert REGION.contains(addr, size) is inside


@pytest.mark.parametrize(
    ("base", "size", "common"),
    [(0x1100, 1, False), (0xFFF, 1, False), (0x10FF, 1, True), (0xF00, 0x400, True)],
)
def test_regions_that_only_touch_do_not_overlap(base: int, size: int, common: bool) -> None:
    assert REGION.overlaps(Region("other", base, size)) is common


def test_a_dynamic_pool_becomes_a_pool_where_the_kernel_put_it() -> None:
    dynamic = DynamicPool("restricted-dma", 0x200000, 0x1000, "pool", ("/pcie@10000000",))

    pool = dynamic.at(0x44000000)

    assert (pool.base, pool.end, pool.users) == (0x44000000, 0x44200000, ("/pcie@10000000",))
