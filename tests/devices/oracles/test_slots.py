# SPDX-License-Identifier: Apache-2.0
"""Slots in use are somebody's, and what is somebody's is in use."""

from dataclasses import replace

import pytest
from oracle_scene import PAGE, POOL, SLOT, allocation, ids, mapping, run, using

from harness.devices.oracles.slots import leaks, unclaimed, wrong_counts, wrong_holders
from harness.devices.probe import Held
from harness.devices.probe.wire import LEAKED
from harness.observe.memory import PoolState, Slot


def alone(in_use: list[Slot], *held: Held) -> list[int]:
    return [slot.index for slot in unclaimed(POOL, in_use, held, PAGE)]


@pytest.mark.parametrize(
    ("in_use", "held"),
    [
        (run(3, 5000), mapping(3, 5000)),
        (run(3, SLOT), mapping(3, 1)),
        (run(8, PAGE, None), allocation(8, 1)),
        (run(8, 3 * PAGE, None), allocation(8, 2 * PAGE + 1)),
        (run(3, 100, offset=2000), mapping(3, 100, offset=2000)),
    ],
    ids=["mapping", "one byte", "page", "pages", "over a border"],
)
def test_what_is_held_accounts_for_its_slots(in_use: list[Slot], held: Held) -> None:
    assert alone(in_use, held) == []
    assert wrong_holders(POOL, in_use, [held], PAGE) == []


def test_padding_before_and_behind_belongs_to_its_mapping() -> None:
    in_use = run(4, 8 * SLOT)

    assert alone(in_use, mapping(6, 3 * SLOT)) == []


def test_padding_ends_where_another_allocation_begins() -> None:
    in_use = [*run(4, 2 * SLOT), *run(6, 2 * SLOT), *run(8, 2 * SLOT)]

    assert alone(in_use, mapping(6, 2 * SLOT)) == [4, 5, 8, 9]


def test_a_mapping_that_nobody_holds_is_a_leak_of_mappings() -> None:
    (violation,) = leaks(POOL, run(3, 5000))

    assert violation.properties == ("B13",)
    assert "3 slots of pool@4f000000" in violation.summary


def test_memory_that_nobody_holds_is_a_leak_of_allocations() -> None:
    assert ids(leaks(POOL, run(8, PAGE, None))) == [("D6",)]


def test_what_a_driver_leaked_is_held_forever() -> None:
    leaked = replace(mapping(3, 5000), context=LEAKED)

    assert alone(run(3, 5000), leaked) == []


def test_what_a_driver_leaked_may_have_been_unmapped_behind_the_probes_back() -> None:
    leaked = replace(mapping(3, 5000), context=LEAKED)

    assert wrong_holders(POOL, [], [leaked], PAGE) == []


def test_a_mapping_in_free_slots_may_be_given_away() -> None:
    (violation,) = wrong_holders(POOL, run(3, 2 * SLOT), [mapping(3, 5000)], PAGE)

    assert violation.properties == ("B7",)
    assert "the probe's mapping at 0x4f001800" in violation.summary


def test_two_mappings_in_one_slot_are_an_overlap() -> None:
    two = [mapping(3, 100), mapping(3, 100, offset=1024, context=5)]

    assert ids(wrong_holders(POOL, run(3, SLOT), two, PAGE)) == [("B7",)]


def test_what_is_held_elsewhere_is_not_this_pools() -> None:
    elsewhere = replace(mapping(3, 100), phys=0x4100_0000)

    assert wrong_holders(POOL, [], [elsewhere], PAGE) == []


def test_a_kernel_that_counts_right_is_believed() -> None:
    assert not list(wrong_counts(using(3), run(3, 5000)))


@pytest.mark.parametrize(
    ("pool", "broken"),
    [
        (replace(using(3), used=4), [("B13",)]),
        (replace(using(3), counted=2), [("B13", "E17")]),
        (replace(using(3), counted=None), []),
    ],
    ids=["areas", "debugfs", "no debugfs"],
)
def test_each_count_is_compared_with_the_slots(
    pool: PoolState, broken: list[tuple[str, ...]]
) -> None:
    assert ids(wrong_counts(pool, run(3, 5000))) == broken


def test_an_allocation_holds_the_slots_of_whole_pages_of_the_kernel() -> None:
    in_use = run(8, 4 * PAGE, None)
    held = allocation(8, 1)

    assert unclaimed(POOL, in_use, [held], 4 * PAGE) == ()
    assert wrong_holders(POOL, in_use[:2], [held], 4 * PAGE) != []
