# SPDX-License-Identifier: Apache-2.0
"""What is said of an address that is not where it should be."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from expect_fakes import IN_POOL, POOL, Unmet, at, memory, silent, told

from harness.base.address_range import AddressRange
from harness.base.violation import PropertyViolated, Violation
from harness.suite.lib import expect
from harness.suite.lib.written import CPU

MET: list[Callable[[], object]] = [
    lambda: expect.in_pool(at(0x4F00_0000), POOL),
    lambda: expect.in_pool([at(0x4F00_0000), at(0x4FFF_F000)], POOL),
    lambda: expect.outside(at(0x4000_0000), POOL),
    lambda: expect.within([AddressRange(0x4F00_0000, 1)], POOL, "rings"),
    lambda: expect.none_within([AddressRange(0x4000_0000, 1)], POOL, "rings"),
    lambda: expect.not_bounced(at(0x4148_5000), memory((CPU, 1))),  # type: ignore[arg-type]
    lambda: expect.aligned(0x4F00_0800, 0x800, "a mapping"),
    lambda: expect.apart([at(0x2000), at(0x1000)]),
    lambda: expect.at_addresses([at(0x1000), at(0x3000)], [0x1000, 0x3000]),
    lambda: expect.bits_kept(0x4F00_0123, 0x4148_5123, 0xFFF, "a page"),
    lambda: expect.within_boundary(0x1000, 0x1000, 0x1000),
]

UNMET: dict[str, Unmet] = {
    "outside the pool": (
        lambda: expect.in_pool(at(0x4148_5000, 1), POOL),
        f"[0x41485000, 0x41485001) in {IN_POOL}",
        "0x41485000, outside the pool",
    ),
    "across the pool's end": (
        lambda: expect.in_pool([at(0x4F00_0000), at(0x4FFF_F800, 0x1800)], POOL),
        f"[0x4ffff800, 0x50001000) in {IN_POOL}",
        "0x4ffff800, 4 KiB of it outside the pool",
    ),
    "a ring outside": (
        lambda: expect.within([AddressRange(0x4000_0000, 0x10)], POOL, "rings"),
        f"[0x40000000, 0x40000010) in {IN_POOL}",
        "0x40000000, outside the pool",
    ),
    "no rings": (lambda: expect.within([], POOL, "rings"), f"rings in {IN_POOL}", "none"),
    "a ring in another device's pool": (
        lambda: expect.none_within([AddressRange(0x4F00_0000, 1)], POOL, "rings"),
        f"rings outside {IN_POOL}",
        "0x4f000000",
    ),
    "in a pool that is another device's": (
        lambda: expect.outside(at(0x4F00_2000), POOL),
        f"an address outside {IN_POOL}",
        "0x4f002000",
    ),
    "bounced": (
        lambda: expect.not_bounced(at(0x4F00_2000), memory((CPU, 1))),  # type: ignore[arg-type]
        "dma_addr 0x41485000",
        "dma_addr 0x4f002000",
    ),
    "not aligned": (
        lambda: expect.aligned(0x4F00_0804, 0x800, "a mapping of 2048 bytes"),
        "a mapping of 2048 bytes at a multiple of 0x800",
        "0x4f000804, 0x4 bytes past one",
    ),
    "twice": (
        lambda: expect.apart([at(0x1800), at(0x1000)]),
        "ranges that do not overlap",
        "[0x1000, 0x2000) and [0x1800, 0x2800)",
    ),
    "elsewhere": (
        lambda: expect.at_addresses([at(0x1000), at(0x3000)], [0x1000, 0x2000]),
        "number 1 at 0x2000",
        "0x3000",
    ),
    "too few": (
        lambda: expect.at_addresses([at(0x1000)], [0x1000, 0x2000]),
        "2 addresses",
        "1 addresses",
    ),
    "bits lost": (
        lambda: expect.bits_kept(0x4F00_0800, 0x4148_5123, 0xFFF, "1 bytes"),
        "1 bytes: bits 0xfff of 0x41485123, which are 0x123",
        "dma_addr 0x4f000800, bits 0x800",
    ),
    "across a boundary": (
        lambda: expect.within_boundary(0x4F00_F800, 0x1000, 0x1_0000),
        "4096 bytes between two multiples of 0x10000",
        "[0x4f00f800, 0x4f010800) crosses 0x4f010000",
    ),
}


test_what_is_as_expected_is_silent = silent(MET)
test_what_is_not_says_what_was_expected_and_observed = told(UNMET)


def test_a_summary_of_the_test_comes_first() -> None:
    with pytest.raises(PropertyViolated) as caught:
        expect.in_pool(AddressGiven(0x1000), AddressRange(0, 1), 1, summary="It escaped.")

    assert caught.value.violations == (
        Violation((), "It escaped.", expected="[0x1000, 0x1001) in [0x0, 0x1)", observed=OUTSIDE),
    )


@dataclass(frozen=True)
class AddressGiven:
    """An address without a size."""

    dma_addr: int


OUTSIDE = "0x1000, outside the pool"
