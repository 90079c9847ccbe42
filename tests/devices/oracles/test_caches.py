# SPDX-License-Identifier: Apache-2.0
"""What a call owes the caches, against what the firmware logged of it."""

from collections.abc import Iterable
from dataclasses import replace

import pytest

from harness.base.address_range import AddressRange
from harness.base.violation import Violation
from harness.devices.oracles.caches import Duty, Handover, maintained, neglected
from harness.machine.fence import CacheOperation, CacheOps

POOL = AddressRange(0x4F00_0000, 0x10_0000)
BUFFER = 0x4100_0000
MAPPING = AddressRange(POOL.base + 0x820, 150)
"""Three lines: a part of the first and of the last."""

LINES = (POOL.base + 0x800, POOL.base + 0x840, POOL.base + 0x880)

CLEAN, INVALIDATE, BOTH = CacheOps.CLEAN, CacheOps.INVALIDATE, CacheOps.CLEAN_AND_INVALIDATE


def done(op: CacheOps, lines: Iterable[int] = LINES, content: int = 1) -> list[CacheOperation]:
    return [
        CacheOperation(line, op, 0xFFFF_0000, completed=True, content=content) for line in lines
    ]


def owed(duty: Duty, content: int | None = None) -> Handover:
    contents = {} if content is None else dict.fromkeys(LINES, content)
    return Handover("dma_call()", duty, (MAPPING,), 64, contents, ("C10",), ("C11",))


def found(handover: Handover, *operations: CacheOperation) -> list[Violation]:
    return list(neglected(handover, operations, POOL))


@pytest.mark.parametrize(
    ("duty", "op"),
    [
        *((Duty.CLEAN, op) for op in (CLEAN, BOTH, CacheOps.CLEAN_TO_PERSISTENCE)),
        *((Duty.INVALIDATE, op) for op in (INVALIDATE, BOTH)),
        *((Duty.EITHER, op) for op in (CLEAN, INVALIDATE, BOTH)),
    ],
)
def test_what_is_owed_is_enough(duty: Duty, op: CacheOps) -> None:
    assert found(owed(duty), *done(op)) == []


@pytest.mark.parametrize(
    ("duty", "op", "words"),
    [
        (Duty.CLEAN, INVALIDATE, "3 of 3 lines only invalidated"),
        (Duty.INVALIDATE, CLEAN, "3 of 3 lines only cleaned"),
    ],
)
def test_the_wrong_direction_is_a_violation(duty: Duty, op: CacheOps, words: str) -> None:
    (violation,) = found(owed(duty), *done(op))

    assert violation.properties == ("C10",)
    assert violation.observed == f"{words}: [0x4f000800, 0x4f0008c0)"


@pytest.mark.parametrize("missing", LINES)
def test_a_line_too_few_is_a_violation(missing: int) -> None:
    (violation,) = found(owed(Duty.CLEAN), *done(CLEAN, set(LINES) - {missing}))

    assert violation.properties == ("C10",)
    assert violation.summary == "dma_call() left cache lines of the pool that must be cleaned."
    assert violation.expected == "3 lines of 64 bytes cleaned: [0x4f000820, 0x4f0008b6)"
    assert violation.observed == f"1 of 3 lines untouched: [{missing:#x}, {missing + 64:#x})"


def test_the_buffer_instead_of_the_slot_is_named() -> None:
    (violation,) = found(owed(Duty.CLEAN), *done(CLEAN, [BUFFER, BUFFER + 64]))

    assert violation.observed == (
        "3 of 3 lines untouched: [0x4f000800, 0x4f0008c0); "
        "outside the pool, maintained: [0x41000000, 0x41000080)"
    )


def test_nothing_at_all_is_a_violation() -> None:
    assert [one.properties for one in found(owed(Duty.INVALIDATE))] == [("C10",)]


def test_what_is_invalidated_before_it_is_cleaned_is_lost() -> None:
    (violation,) = found(owed(Duty.CLEAN), *done(INVALIDATE, LINES[:1]), *done(CLEAN))

    assert violation.observed.startswith("1 of 3 lines invalidated before they were cleaned")


def test_without_a_barrier_it_is_not_completed() -> None:
    operations = done(CLEAN)
    operations[1] = replace(operations[1], completed=False)

    (violation,) = found(owed(Duty.CLEAN), *operations)

    assert violation.properties == ("C11",)
    assert "1 of 3 lines the call did not wait for (dsb sy): [0x4f000840" in violation.observed


def test_lines_that_are_missing_are_not_also_not_completed() -> None:
    assert len(found(owed(Duty.CLEAN), *done(CLEAN, LINES[:2]))) == 1


def test_a_clean_before_the_copy_is_a_violation() -> None:
    assert found(owed(Duty.CLEAN, content=1), *done(CLEAN)) == []

    (violation,) = found(owed(Duty.CLEAN, content=2), *done(CLEAN))

    assert violation.properties == ("C10",)
    assert "cleaned before the copy was in them" in violation.observed


def test_a_copy_before_the_invalidate_is_a_violation() -> None:
    (violation,) = found(owed(Duty.INVALIDATE, content=2), *done(INVALIDATE))

    assert violation.properties == ("C10", "C11")
    assert "copied to the CPU's buffer before" in violation.observed


def test_of_two_cleans_one_has_to_come_after_the_copy() -> None:
    operations = [*done(CLEAN, content=1), *done(CLEAN, content=2)]

    assert found(owed(Duty.CLEAN, content=2), *operations) == []


def test_an_invalidate_of_other_lines_of_the_pool_discards_them() -> None:
    other = POOL.base + 0x8C0

    (violation,) = found(owed(Duty.INVALIDATE), *done(INVALIDATE, [*LINES, other]))

    assert violation.observed == "also invalidated: [0x4f0008c0, 0x4f000900)"
    assert found(owed(Duty.INVALIDATE), *done(INVALIDATE), *done(BOTH, [other])) == []
    assert found(owed(Duty.INVALIDATE), *done(INVALIDATE), *done(INVALIDATE, [BUFFER])) == []


def test_entries_of_a_list_may_share_a_line() -> None:
    parts = (AddressRange(LINES[0], 10), AddressRange(LINES[0] + 10, 60))

    assert replace(owed(Duty.CLEAN), ranges=parts).lines == LINES[:2]


def test_only_the_pool_counts_as_maintained() -> None:
    operations = [*done(CLEAN), *done(CLEAN, [BUFFER])]

    assert maintained(operations, 64, POOL) == (AddressRange(LINES[0], 192),)
