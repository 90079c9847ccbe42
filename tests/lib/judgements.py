# SPDX-License-Identifier: Apache-2.0
"""Judgements on a series of five patches, without kernels."""

from validate_fakes import FAIL, PASS, REQUEST, FakeSuite, Results, T, U

from harness.jobs.compare import (
    Series,
    SeriesJudgement,
    judge_series,
)
from harness.kernel.patches.apply import Attempt, Fit

MIDDLE = {T: [PASS, PASS, PASS, FAIL, FAIL, PASS], U: [PASS] * 6}
"""The third patch breaks T, the fifth repairs it."""


def fits(refused: int = 0) -> list[Attempt]:
    """Every patch fits, up to number *refused*."""
    attempts = [Attempt(f"{number}.patch", Fit.APPLIES) for number in range(1, 6)]
    if refused:
        attempts[refused - 1 :] = [Attempt("x.patch", Fit.REFUSED, "kernel/dma/swiotlb.c, hunk 1")]
    return attempts


def whole(
    series: Series, results: Results, **more: frozenset[int]
) -> tuple[SeriesJudgement, FakeSuite]:
    """Judge all of the series at once; *results* are before and after it."""
    spread = {test: [before, *[[]] * 4, after] for test, (before, after) in results.items()}
    suite = FakeSuite(spread, **more)
    return judge_series(REQUEST, series, fits(), suite), suite


def by_patch(series: Series, results: Results, **more: frozenset[int]) -> SeriesJudgement:
    """Judge each patch; *results* are at each position."""
    return judge_series(REQUEST, series, fits(), FakeSuite(results, **more), per_patch=True)
