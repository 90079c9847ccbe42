# SPDX-License-Identifier: Apache-2.0
"""Two runs of the same tests, before and after a series, and what became of each test."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from harness.results import Case, Run

KNOWN, PASS, SKIP = "KNOWN", "PASS", "SKIP"

KEPT = "the property is kept"
"""How the message begins of a test of a known finding that passes (harness/plugin/results.py)."""


class Change(Enum):
    """What became of a test from the base to the patched kernel; the worst for a series first."""

    BROKEN = "broken"
    FLAKY = "flaky"  # repeated on the same kernel it ended both well and badly
    NOT_JUDGED = "not judged"  # skipped, not run, or an error of the harness, on one of the two
    STILL_FAILING = "still failing"  # not the series' fault
    FIXED = "fixed"
    STILL_PASSING = "still passing"


@dataclass(frozen=True)
class Difference:
    """A test, and all its outcomes on both kernels in the order in which they came."""

    test: str
    change: Change
    base: tuple[Case, ...]
    patched: tuple[Case, ...]

    @property
    def skipped(self) -> bool:
        """Whether it says nothing about such kernels at all."""
        return {one.result for one in (*self.base, *self.patched)} == {SKIP}

    @property
    def state(self) -> str:
        """The change in a word or two, or that there was nothing to judge."""
        return "skipped" if self.skipped else self.change.value


@dataclass(frozen=True)
class Comparison:
    """The verdict on a series: the runs on both kernels, and a Difference for each test.

    *coverage* says in a few lines which of the lines that the series adds have run; empty if that
    was not measured.
    """

    base: Run
    patched: Run
    differences: tuple[Difference, ...]
    coverage: tuple[str, ...] = ()

    def having(self, change: Change) -> tuple[Difference, ...]:
        """The tests of which that became."""
        return tuple(one for one in self.differences if one.change is change)


def change_of(base: Iterable[Case], patched: Iterable[Case]) -> Change:
    """What became of a test, from all its outcomes on both kernels.

    A test that ends as KNOWN breaks a property too: one that passes then was fixed.
    """
    before, after = _standing(base), _standing(patched)
    if None in (*before, *after) or not before or not after:
        return Change.NOT_JUDGED
    if len(before) > 1 or len(after) > 1:
        return Change.FLAKY
    well, still_well = before == {True}, after == {True}
    if well:
        return Change.STILL_PASSING if still_well else Change.BROKEN
    return Change.FIXED if still_well else Change.STILL_FAILING


def _standing(outcomes: Iterable[Case]) -> set[bool | None]:
    """Whether the property held, in all the ways seen; None: that could not be said."""
    return {_held(one) for one in outcomes}


def _held(outcome: Case) -> bool | None:
    if outcome.result == PASS or outcome.message.startswith(KEPT):
        return True
    return False if outcome.against_kernel or outcome.result == KNOWN else None


def compare(base: Run, patched: Run) -> Comparison:
    """The comparison of two runs, each of which may hold a test several times."""
    before, after = _by_test(base), _by_test(patched)
    return Comparison(
        base,
        patched,
        tuple(
            Difference(test, change_of(olds, news), olds, news)
            for test in dict.fromkeys((*before, *after))
            for olds, news in [(before.get(test, ()), after.get(test, ()))]
        ),
    )


def _by_test(run: Run) -> dict[str, tuple[Case, ...]]:
    tests: dict[str, tuple[Case, ...]] = {}
    for one in run.tests:
        tests[one.test] = (*tests.get(one.test, ()), one)
    return tests
