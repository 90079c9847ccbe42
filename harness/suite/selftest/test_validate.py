# SPDX-License-Identifier: Apache-2.0
"""A series whose third patch breaks B12 and whose fifth repairs it: the verdict says so."""

from functools import partial
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.jobs.bisect import bisect, series_line
from harness.jobs.compare import (
    Series,
    find_series,
    judge_series,
    store_prefix,
)
from harness.kernel import KernelSpec
from harness.kernel.patches.fit import fit_series
from harness.results import SuiteRequest, Verdict, run_suite
from harness.results.judge import Change

pytestmark = [
    pytest.mark.nightly("five kernels of its own"),
    pytest.mark.usefixtures("from_source"),
    pytest.mark.timeout(3600),
]

FILE = "harness/suite/properties/test_exhaustion.py"
FULL = f"{FILE}::test_a_full_pool_refuses_and_does_not_fall_back[probe-a]"
EMPTY = f"{FILE}::test_a_pool_that_was_full_is_as_good_as_new"
"""A test that the third patch breaks, and one more."""


@pytest.fixture(scope="module")
def series() -> Series:
    """The series; its third patch breaks B12, and its fifth repairs it."""
    return find_series([str(CHECKOUT / "tests/series/full-pool")], Path())


@pytest.fixture
def request_() -> SuiteRequest:
    """Two tests on the kernel that the series is made for."""
    return SuiteRequest(
        KernelSpec("debian:6.12"), tests=(FULL, f"{EMPTY}[first-probe-a]"), workers=1
    )


def test_a_patch_that_breaks_a_property_and_the_one_that_repairs_it_are_named(
    series: Series, request_: SuiteRequest, tmp_path: Path
) -> None:
    """Of five patches the third makes a full pool fall back, the fifth makes it refuse again."""
    whole = KernelSpec("debian:6.12", store_prefix(series, 5))

    verdict = judge_series(
        request_,
        series,
        fit_series(whole),
        partial(run_suite, log=tmp_path / "pytest.log"),
        per_patch=True,
        repeats=1,
    )

    broken = {step.position: step.having(Change.BROKEN) for step in verdict.patches}
    fixed = {step.position: step.having(Change.FIXED) for step in verdict.patches}
    assert {at: [one.test for one in tests] for at, tests in broken.items() if tests} == {3: [FULL]}
    assert {at: [one.test for one in tests] for at, tests in fixed.items() if tests} == {5: [FULL]}
    assert {name for one in broken[3][0].patched for name in one.violated} == {"B12"}
    assert verdict.verdict is Verdict.BAD


def test_a_bisection_finds_the_patch_that_breaks_a_property(
    series: Series, request_: SuiteRequest, tmp_path: Path
) -> None:
    """Between the base and the fourth patch the first on which a full pool falls back is found."""
    space = series_line(request_.spec, series, "0", "4")
    runner = partial(run_suite, log=tmp_path / "pytest.log")

    bisection = bisect(space, request_, runner, again=True)

    assert bisection.found.suspects == ("3",)
    assert [one.test for one in bisection.failures] == [FULL]
