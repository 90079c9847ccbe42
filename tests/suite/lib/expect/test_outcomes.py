# SPDX-License-Identifier: Apache-2.0
"""What is said of a call that should have been refused, or not."""

import errno
from collections.abc import Callable

from expect_fakes import (
    Unmet,
    at,
    silent,
    told,
)

from harness.devices.probe import Mapped, MappingError, Segment
from harness.suite.lib import expect


def fails(error: bool = False) -> Segment:
    if error:
        raise MappingError("dma_map_single(64 bytes)", errno.ENOMEM)
    return at(0x4F00_1000)


MET: list[Callable[[], object]] = [
    lambda: expect.refused(fails, error=True),
    lambda: expect.mapped(Mapped(0x1000, 0x1000), 1),
]

UNMET: dict[str, Unmet] = {
    "not mapped": (
        lambda: expect.mapped(MappingError("dma_map_single()", errno.ENOMEM), 64),
        "64 bytes mapped",
        "dma_map_single(): the kernel said ENOMEM",
    ),
    "mapped": (
        lambda: expect.not_mapped(Mapped(0x4F00_1000, 0x4F00_1000), 64),
        "DMA_MAPPING_ERROR",
        "0x4f001000",
    ),
    "not refused": (
        lambda: expect.refused(fails),
        "DMA_MAPPING_ERROR",
        "0x4f001000",
    ),
}


test_what_is_as_expected_is_silent = silent(MET)
test_what_is_not_says_what_was_expected_and_observed = told(UNMET)


def test_a_refusal_is_returned() -> None:
    assert str(expect.refused(fails, error=True)).endswith("the kernel said ENOMEM")
