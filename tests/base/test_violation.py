# SPDX-License-Identifier: Apache-2.0
"""A violation as text reads like a bug report, and survives JSON."""

import json
from dataclasses import asdict

from harness.base.kernel_code import CODE, code_for
from harness.base.properties import PROPERTIES
from harness.base.violation import PropertyViolated, Violation, violated, violation_from

FULL = Violation(
    ("B5",),
    "dma_unmap_single() copied a TO_DEVICE mapping back to the CPU buffer.",
    calls=(
        "dma_map_single(probe-a, 0x41485000, 4096, DMA_TO_DEVICE) = 0x4f007000",
        "[rogue writes 4096 bytes at 0x4f007000]",
        "dma_unmap_single(probe-a, 0x4f007000, 4096, DMA_TO_DEVICE)",
    ),
    expected="buffer at 0x41485000 unchanged",
    observed="4 KiB of 4 KiB changed, first at 0x41485000: c9 -> de",
    places=(
        "0x4f007000 slot 14 of pool restricted-dma@4f000000 [0x4f000000, 0x50000000)",
        "0x41485000 kernel page (page allocator), not in any pool",
    ),
    code="swiotlb_tbl_unmap_single(), kernel/dma/swiotlb.c",
    reproduce='scripts/run --series=fix.patch -k "test_..."',
    debug="harness debug ...",
)

TEXT = """\
B5 violated: dma_unmap_single() copied a TO_DEVICE mapping back to the CPU buffer.
  driver     dma_map_single(probe-a, 0x41485000, 4096, DMA_TO_DEVICE) = 0x4f007000
             [rogue writes 4096 bytes at 0x4f007000]
             dma_unmap_single(probe-a, 0x4f007000, 4096, DMA_TO_DEVICE)
  expected   buffer at 0x41485000 unchanged
  observed   4 KiB of 4 KiB changed, first at 0x41485000: c9 -> de
  0x4f007000 slot 14 of pool restricted-dma@4f000000 [0x4f000000, 0x50000000)
  0x41485000 kernel page (page allocator), not in any pool
  code       swiotlb_tbl_unmap_single(), kernel/dma/swiotlb.c
  reproduce  scripts/run --series=fix.patch -k "test_..."
  debug      harness debug ..."""


def test_the_text_has_everything_in_order() -> None:
    assert str(FULL) == TEXT
    assert str(PropertyViolated(FULL)) == TEXT


def test_several_violations_are_told_one_below_the_other() -> None:
    error = PropertyViolated(Violation(("B1", "B2"), "one"), Violation(("B2", "B7"), "two"))

    assert str(error) == "B1 B2 violated: one\nB2 B7 violated: two"
    assert error.ids == ("B1", "B2", "B7")


def test_a_violation_may_have_a_summary_only() -> None:
    error = violated("slots overlap", "B7")

    assert error.violations == (Violation(("B7",), "slots overlap"),)


def test_a_failed_control_says_so() -> None:
    assert str(Violation(("B1",), "nothing escaped", control=True)) == (
        "B1 control failed: nothing escaped"
    )


def test_a_violation_survives_json() -> None:
    assert violation_from(json.loads(json.dumps(asdict(FULL)))) == FULL


def test_the_code_of_the_first_known_property_is_named() -> None:
    assert set(CODE) <= set(PROPERTIES)
    assert code_for(["F8", "B3"]) == CODE["B3"]
    assert code_for(["F8"]) == ""
