# SPDX-License-Identifier: Apache-2.0
"""The map of a pool: a letter for who holds a slot, and how long."""

import pytest

from harness.observe.memory import Slot
from harness.shell.pool_map import SlotAges, directions, pool_map, slot_letters

BASE = 0x4F00_0000

CALLS = (
    "dma_map_single(probe-a, 0x41485000, 4096, DMA_TO_DEVICE) = 0x4f000000",
    "dma_map_single_attrs(probe-a, 0x41486000, 100, DMA_FROM_DEVICE, DMA_ATTR_SKIP) = 0x4f001000",
    "dma_unmap_single(probe-a, 0x4f009000, 4096, DMA_TO_DEVICE)",
    "dma_map_single(probe-a, 0x0, 1, DMA_TO_DEVICE) = DMA_MAPPING_ERROR",
)


def _slot(index: int, size: int, buffer: int | None = 0x4148_5000) -> Slot:
    return Slot(index, BASE + 2048 * index, buffer, size, 0, 0)


USED = (_slot(0, 4096), _slot(1, 2048), _slot(2, 100), _slot(4, 2048, None), _slot(6, 2048))


def test_the_direction_of_a_mapping_is_that_of_its_call() -> None:
    assert directions(CALLS) == {BASE: "t", BASE + 0x1000: "f"}


def test_a_new_slot_is_in_upper_case() -> None:
    ages = SlotAges()
    ages.update(USED, 10.0)

    new = slot_letters(USED, directions(CALLS), ages, 10.5)
    ages.update(USED, 13.0)
    old = slot_letters(USED, directions(CALLS), ages, 13.0)

    assert new == {0: "T", 1: "T", 2: "F", 4: "C", 6: "?"}
    assert old == {0: "t", 1: "t", 2: "f", 4: "c", 6: "?"}


def test_a_rogues_access_flashes() -> None:
    ages = SlotAges()
    ages.access(2048 * 3 + 2000, 100, 10.0)

    assert slot_letters((), {}, ages, 10.5) == {3: "X", 4: "X"}
    assert slot_letters((), {}, ages, 11.5) == {}


@pytest.mark.parametrize(
    ("nslabs", "width", "rows", "lines"),
    [
        (10, 20, 5, ["Xt.......c"]),
        (10, 4, 3, ["Xt..", "....", ".c"]),
        (10, 5, 1, ["X...c"]),
        (1000, 5, 1, ["X...."]),
    ],
)
def test_a_letter_stands_for_as_many_slots_as_needed(
    nslabs: int, width: int, rows: int, lines: list[str]
) -> None:
    assert pool_map({0: "X", 1: "t", 9: "c"}, nslabs, width, rows) == lines
