# SPDX-License-Identifier: Apache-2.0
"""The smallest pools are found by halving, and what happens below them is kept."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.jobs.size.answers import Ending, Level, Sizing, Trial, exit_code
from harness.jobs.size.measure import SMALLEST, Trials, kinds_below, smallest_pools

STEP = SMALLEST
LAST = 6
AMPLE = Trial(STEP << LAST, Ending.WORKS, waits=16)


def driver(ends: int, no_errors: int, full: int) -> Trials:
    """A driver that needs pools of so many doublings of a slot set."""

    def attempt(size: int) -> Trial:
        if size < STEP << ends:
            return Trial(size, Ending.NEVER_ENDS)
        if size < STEP << no_errors:
            return Trial(size, Ending.FAILS)
        return Trial(size, Ending.WORKS, refused=size < STEP << full, waits=16)

    return Trials(attempt)


NEEDS = st.lists(st.integers(0, LAST), min_size=3, max_size=3).map(sorted)


@given(NEEDS)
def test_the_smallest_pools_are_found(needs: list[int]) -> None:
    ends, no_errors, full = needs

    found = smallest_pools(driver(ends, no_errors, full), AMPLE)

    assert found == {
        Level.ENDS: STEP << ends,
        Level.NO_ERRORS: STEP << no_errors,
        Level.FULL_SPEED: STEP << full,
    }


@given(NEEDS)
def test_what_happens_below_is_told_of_the_largest_pool_where_it_does(needs: list[int]) -> None:
    ends, no_errors, full = needs
    attempt = driver(ends, no_errors, full)
    smallest_pools(attempt, AMPLE)

    below = kinds_below(attempt.done.values(), AMPLE)

    wanted = [(full, Ending.WORKS), (no_errors, Ending.FAILS), (ends, Ending.NEVER_ENDS)]
    lowest = [no_errors, ends, 0]
    kinds = [
        (STEP << first - 1, outcome)
        for (first, outcome), last in zip(wanted, lowest, strict=True)
        if first > last
    ]
    assert [(one.size, one.outcome) for one in below] == kinds


def test_no_pool_is_tried_twice() -> None:
    sizes = []

    def attempt(size: int) -> Trial:
        sizes.append(size)
        return Trial(size, Ending.WORKS)

    smallest_pools(Trials(attempt), AMPLE)

    assert len(sizes) == len(set(sizes))


def test_a_driver_that_is_refused_in_the_largest_pool_has_no_pool_for_full_speed() -> None:
    refused = replace(AMPLE, refused=True)

    found = smallest_pools(driver(2, 2, LAST + 1), refused)

    assert found == {Level.NO_ERRORS: STEP << 2, Level.ENDS: STEP << 2}


@pytest.mark.parametrize(
    ("trial", "level"),
    [
        (Trial(STEP, Ending.WORKS, waits=16), Level.FULL_SPEED),
        (Trial(STEP, Ending.WORKS, waits=17), Level.NO_ERRORS),
        (Trial(STEP, Ending.WORKS, waits=16, refused=True), Level.NO_ERRORS),
        (Trial(STEP, Ending.FAILS), Level.ENDS),
        (Trial(STEP, Ending.NEVER_ENDS), Level.USELESS),
        (Trial(STEP, Ending.UNBOUND), Level.USELESS),
        (Trial(STEP, Ending.NEVER_RESTS), Level.USELESS),
        (Trial(STEP, Ending.OUTSIDE), Level.USELESS),
    ],
)
def test_a_pool_is_as_good_as_the_workload_runs(trial: Trial, level: Level) -> None:
    assert trial.level(AMPLE) is level


HANGS, BUSY = Trial(STEP, Ending.NEVER_ENDS), Trial(STEP, Ending.NEVER_RESTS)
GOOD = Sizing("virtio-blk", "virtio-pci", ample=AMPLE)


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (GOOD, 0),
        (replace(GOOD, below=(HANGS,)), 0),
        (replace(GOOD, device="nvme", below=(HANGS,)), 0),
        (replace(GOOD, device="ahci", below=(HANGS,)), 1),
        (replace(GOOD, device="virtio-net", below=(BUSY,)), 0),
        (replace(GOOD, device="e1000e", below=(BUSY,)), 1),
        (replace(GOOD, below=(Trial(STEP, Ending.OUTSIDE),)), 1),
        (replace(GOOD, below=(Trial(STEP, Ending.UNBOUND),)), 0),
        (replace(GOOD, ample=Trial(STEP, Ending.FAILS)), 1),
        (replace(GOOD, ample=Trial(STEP, Ending.UNBOUND)), 2),
        (Sizing("nvme", "nvme", reason="CONFIG_BLK_DEV_NVME is not set"), 2),
    ],
)
def test_the_exit_code_is_bad_unless_a_finding_says_so(one: Sizing, code: int) -> None:
    assert exit_code([GOOD, one]) == code


def test_bad_outranks_not_judged() -> None:
    bad = replace(GOOD, ample=Trial(STEP, Ending.FAILS))

    assert exit_code([Sizing("nvme", "nvme", reason="no driver"), bad]) == 1
