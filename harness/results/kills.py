# SPDX-License-Identifier: Apache-2.0
"""Which tests failed on each mutant, and the order of tests that finds bugs soonest.

``tests/mutants/kills.json`` holds it, for each mutant by its name; ``harness mutants`` writes it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from harness.base.disk import write_whole
from harness.base.paths import CHECKOUT
from harness.base.progress import say

KILLS = CHECKOUT.joinpath("tests", "mutants", "kills.json")
"""Not ``CHECKOUT / ...``: the order of tests decides no verdict, so those that are known stay valid
when it changes (harness/results/identity.py)."""

Kills = Mapping[str, Mapping[str, float]]
"""For each mutant the node ids of the tests that failed on it, with their seconds."""

SHORTEST = 0.2
"""Seconds; a test that took less counts as this."""


def read_kills() -> Kills:
    """What is known; nothing without the file, or if it is damaged, for example by a merge."""
    try:
        kills: Kills = json.loads(KILLS.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as fault:
        say(f"{KILLS} is damaged ({fault}): tests run in pytest's order. Restore it with git")
        return {}
    return kills


def keep_kills(found: Kills, mutants: Iterable[str]) -> None:
    """Put *found* in the place of what was known of its mutants; forget those not in *mutants*.

    Raises OSError if the checkout cannot be written to.
    """
    known = {**read_kills(), **found}
    kept = {
        name: {test: round(seconds, 1) for test, seconds in sorted(known[name].items())}
        for name in sorted(mutants)
        if known.get(name)
    }
    if kept != read_kills():
        write_whole(KILLS, json.dumps(kept, indent=1) + "\n")


def best_order(kills: Kills) -> Iterator[str]:
    """The tests that kill every mutant soonest.

    The next is always the one that kills most of the mutants that are left, for its time.
    """
    seconds = {test: max(taken, SHORTEST) for row in kills.values() for test, taken in row.items()}
    left = {mutant: frozenset(row) for mutant, row in kills.items() if row}
    while left:
        rates = {
            test: sum(test in row for row in left.values()) / taken
            for test, taken in sorted(seconds.items())
        }
        best = max(rates, key=rates.__getitem__)
        yield best
        left = {mutant: row for mutant, row in left.items() if best not in row}
