# SPDX-License-Identifier: Apache-2.0
"""Make a case small: leave out, one at a time, whatever is not needed to show the same."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from harness.jobs.fuzz.case import FuzzCase

T = TypeVar("T")

MOST_TRIALS = 60
"""Most guests that are run to minimise one case."""


def minimise(
    case: FuzzCase, shows: Callable[[FuzzCase], bool], trials: int = MOST_TRIALS
) -> FuzzCase:
    """The least of *case* for which *shows* is still true, after so many *trials* at most.

    Large parts are tried first: a step with its mutations, then single mutations and settings.
    It ends when nothing can be left out any more.
    """
    left = trials
    while True:
        for smaller in _smaller(case):
            if left == 0:
                return case
            left -= 1
            if shows(smaller):
                case = smaller
                break
        else:
            return case


def _smaller(case: FuzzCase) -> Iterator[FuzzCase]:
    """*case* without one thing, the last first; the first step stays."""
    for number in reversed(range(1, len(case.steps))):
        yield replace(case, steps=_without(case.steps, number))
    for number in reversed(range(len(case.steps))):
        step = case.steps[number]
        for index in reversed(range(len(step.mutations))):
            quiet = replace(step, mutations=_without(step.mutations, index))
            yield replace(case, steps=(*case.steps[:number], quiet, *case.steps[number + 1 :]))
    for index in reversed(range(len(case.config))):
        yield replace(case, config=_without(case.config, index))


def _without(parts: tuple[T, ...], index: int) -> tuple[T, ...]:
    return parts[:index] + parts[index + 1 :]
