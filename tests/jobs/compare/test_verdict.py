# SPDX-License-Identifier: Apache-2.0
"""The same tests with and without a series: how each changed, with which patch, and the verdict."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from judgements import MIDDLE, by_patch, fits, whole
from validate_fakes import FAIL, PASS, REQUEST, FakeSuite, T, U

from harness.base.errors import BuildError
from harness.jobs.compare import (
    Series,
    as_json,
    judge_series,
    judgement_text,
)
from harness.jobs.compare.per_patch import kernels_of
from harness.jobs.compare.series_judgement import Failure
from harness.jobs.cost import Cost, CostChange
from harness.kernel.patches.apply import Attempt, Fit
from harness.kernel.patches.unpacked import Trial
from harness.results import Verdict
from harness.results.judge import Change

pytestmark = pytest.mark.usefixtures("cache")


def test_the_kernel_with_all_patches_is_not_called_by_its_last(series: Series) -> None:
    at_once = kernels_of(REQUEST, series, [0, 5])
    each = kernels_of(REQUEST, series, range(6))

    assert at_once.labels[5] == "the whole series (5 patches)"
    assert each.labels[5].startswith("patch 5/5")


@pytest.mark.parametrize(
    ("before", "after", "change", "answer"),
    [
        (PASS, PASS, Change.STILL_PASSING, Verdict.GOOD),
        (PASS, FAIL, Change.BROKEN, Verdict.BAD),
        (FAIL, PASS, Change.FIXED, Verdict.GOOD),
        (PASS, ["FAIL", "PASS"], Change.FLAKY, Verdict.NOT_JUDGED),
        (["FAIL", "PASS"], ["PASS", "FAIL"], Change.STILL_FLAKY, Verdict.GOOD),
        (PASS, ["ERROR"], Change.NOT_JUDGED, Verdict.NOT_JUDGED),
        (PASS, ["ERROR", "PASS"], Change.STILL_PASSING, Verdict.GOOD),
        (["SKIP"], ["SKIP"], Change.SKIPPED, Verdict.NOT_JUDGED),
        (PASS, ["SKIP"], Change.NOT_JUDGED, Verdict.NOT_JUDGED),
    ],
)
def test_a_test_is_judged_by_all_its_repetitions(
    series: Series, before: Sequence[str], after: Sequence[str], change: Change, answer: Verdict
) -> None:
    verdict, _ = whole(series, {T: [before, after]})

    (difference,) = verdict.whole.differences
    assert (difference.change, verdict.verdict) == (change, answer)


def test_what_differs_is_run_twice_more_on_both_kernels_in_turn(series: Series) -> None:
    verdict, suite = whole(series, {T: [PASS, FAIL], U: [PASS, PASS]})

    assert suite.asked == [(0, ()), (5, ()), *[(0, (T,)), (5, (T,))] * 2]
    (broken,) = verdict.whole.having(Change.BROKEN)
    assert (len(broken.base), len(broken.patched)) == (3, 3)


def test_what_does_not_differ_is_run_once(series: Series) -> None:
    _, suite = whole(series, {T: [FAIL, FAIL], U: [["SKIP"], ["SKIP"]]})

    assert len(suite.asked) == 2


def test_the_base_runner_runs_the_whole_base_and_no_repetition(series: Series) -> None:
    results = {T: [PASS, *[[]] * 4, FAIL]}
    base, rest = FakeSuite(results), FakeSuite(results)

    judge_series(REQUEST, series, fits(), rest, base_runner=base)

    assert base.asked == [(0, ())]
    assert rest.asked == [(5, ()), *[(0, (T,)), (5, (T,))] * 2]


def test_broken_outranks_not_judged(series: Series) -> None:
    verdict, _ = whole(series, {T: [PASS, FAIL], U: [PASS, ["ERROR"]]})

    assert verdict.verdict is Verdict.BAD


def test_the_patch_that_breaks_and_the_one_that_repairs_are_named(series: Series) -> None:
    verdict = by_patch(series, MIDDLE)

    changes = {
        step.position: [one.test for one in (*step.having(Change.BROKEN),)]
        or [one.test for one in step.having(Change.FIXED)]
        for step in verdict.patches
    }
    assert changes == {1: [], 2: [], 3: [T], 4: [], 5: [T]}
    assert verdict.whole.having(Change.BROKEN) == ()
    assert verdict.verdict is Verdict.BAD


def test_each_kernel_of_a_series_runs_the_tests_once(series: Series) -> None:
    suite = FakeSuite(MIDDLE)

    judge_series(REQUEST, series, fits(), suite, per_patch=True, repeats=1)

    assert suite.asked == [
        *((at, ()) for at in range(6)),
        *((at, (T,)) for at in (2, 3, 4, 5)),
    ]


def test_a_patch_that_does_not_compile_breaks_and_the_next_is_judged_with_it(
    series: Series,
) -> None:
    verdict = by_patch(series, {T: [PASS] * 6}, unbuildable=frozenset({2}))

    assert [(step.since, step.position) for step in verdict.patches] == [
        *[(0, 1), (1, 2), (1, 3), (3, 4), (4, 5)],
    ]
    second = verdict.patches[1].outcome
    assert isinstance(second, Failure)
    assert "swiotlb.c does not compile" in second.reason
    assert verdict.verdict is Verdict.BAD


def test_a_base_that_does_not_compile_is_not_the_series_fault(series: Series) -> None:
    with pytest.raises(BuildError):
        whole(series, {T: [PASS, PASS]}, unbuildable=frozenset({0}))


def test_of_a_series_that_does_not_apply_the_rest_is_judged_by_patch(series: Series) -> None:
    suite = FakeSuite({T: [PASS] * 3})

    verdict = judge_series(REQUEST, series, fits(refused=3), suite, per_patch=True)

    assert [step.position for step in verdict.patches] == [1, 2]
    assert verdict.verdict is Verdict.NOT_JUDGED
    assert "Patch 3/5" in judgement_text(verdict)
    assert "swiotlb.c, hunk 1" in judgement_text(verdict)


def test_a_series_that_does_not_apply_runs_nothing_as_a_whole(series: Series) -> None:
    suite = FakeSuite({})

    verdict = judge_series(REQUEST, series, fits(refused=1), suite)

    assert (suite.asked, verdict.verdict) == ([], Verdict.NOT_JUDGED)


def test_beside_a_patch_that_does_not_apply_is_what_may_help(series: Series) -> None:
    verdict = judge_series(REQUEST, series, fits(refused=1), FakeSuite({}))

    trials = (trial("debian:6.1", Fit.REFUSED), trial("debian:7.3", Fit.APPLIES))
    text = " ".join(judgement_text(replace(verdict, elsewhere=trials)).split())
    nowhere = " ".join(judgement_text(replace(verdict, elsewhere=trials[:1])).split())

    assert 'The series says that it needs: "It applies to Linux 6.12.".' in text
    assert "Of the cached kernels it applies to: debian:7.3 (7.3) (--kernel=SOURCE)." in text
    assert "It applies to none of the cached kernels (debian:6.1 (6.1))." in nowhere
    assert text.count("swiotlb.c, hunk 1") == 1


def trial(name: str, fit: Fit) -> Trial:
    """A series tried on a cached kernel."""
    return Trial(name, name.partition(":")[2], (Attempt("1.patch", fit),))


@pytest.mark.parametrize(
    ("limit", "verdict"), [(None, Verdict.GOOD), (70.0, Verdict.GOOD), (60.0, Verdict.BAD)]
)
def test_a_series_may_not_cost_more_than_the_limit(
    series: Series, limit: float | None, verdict: Verdict
) -> None:
    judgement, _ = whole(series, {T: (PASS, PASS)})
    before, after = (Cost("map TO_DEVICE", 4096, "pool", 0, count) for count in (1204, 1950))

    dear = replace(judgement, costs=(CostChange(before, after),), cost_limit=limit)

    text = judgement_text(dear)
    assert dear.verdict is verdict
    assert "  map TO_DEVICE 4 KiB (pool): 1204 -> 1950, +62 %" in text
    assert ("1 of these grew by more than 60 % (--cost-limit)." in text) is (limit == 60)
    assert as_json(dear)["costs"][0]["after"]["instructions"] == 1950


def test_a_series_that_only_copies_more_is_beyond_the_limit(series: Series) -> None:
    judgement, _ = whole(series, {T: (PASS, PASS)})
    before, after = (
        Cost("map TO_DEVICE", 4096, "pool", 0, 1204, copied=copied) for copied in (4096, 8192)
    )

    dear = replace(judgement, costs=(CostChange(before, after),), cost_limit=10)

    assert dear.verdict is Verdict.BAD
    assert "  map TO_DEVICE 4 KiB (pool): 4096 -> 8192 bytes copied, +100 %" in judgement_text(dear)


def test_no_test_at_all_is_no_verdict(series: Series) -> None:
    verdict, _ = whole(series, {})

    assert verdict.verdict is Verdict.NOT_JUDGED
    assert "no test was chosen" in judgement_text(verdict)
