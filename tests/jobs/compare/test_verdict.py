# SPDX-License-Identifier: Apache-2.0
"""The same tests with and without a series: how each changed, with which patch, and the verdict."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from kernel_trees import tiny_tree
from validate_fakes import FakeSuite, Results, T, U

from harness.base.errors import BuildError
from harness.base.result import Result
from harness.cli import main
from harness.jobs.compare import (
    Series,
    SeriesJudgement,
    as_json,
    judge_series,
    judgement_text,
    mail_text,
    pages,
    save_runs,
)
from harness.jobs.compare.per_patch import kernels_of
from harness.jobs.compare.series_judgement import Failure
from harness.jobs.compare.series_text import properties_at_stake
from harness.jobs.cost import Cost, CostChange
from harness.kernel import KernelSpec
from harness.kernel.patches.apply import Attempt, Fit
from harness.kernel.patches.series import read_paths
from harness.results import Case, SuiteRequest, Verdict, load_run
from harness.results.judge import Change, Comparison, Difference

pytestmark = pytest.mark.usefixtures("cache")

FIXTURE = Path(__file__).parents[2] / "series/full-pool"

PASS, FAIL = ["PASS"], ["FAIL"]
REQUEST = SuiteRequest(KernelSpec(), words=("--property=B12",))
WHOLE = SuiteRequest(KernelSpec())


@pytest.fixture(scope="module")
def series() -> Series:
    return read_paths([FIXTURE])


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
    return judge_series(REQUEST, series, fits(), FakeSuite(results, **more), per_patch=True)


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


MIDDLE = {T: [PASS, PASS, PASS, FAIL, FAIL, PASS], U: [PASS] * 6}
"""The third patch breaks T, the fifth repairs it."""


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

    text = " ".join(judgement_text(replace(verdict, elsewhere=("debian:7.3 (7.3.4)",))).split())

    assert 'The series says that it needs: "It applies to Linux 6.12.".' in text
    assert "Of the cached kernels it applies to: debian:7.3 (7.3.4) (--kernel=SOURCE)." in text


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


def test_no_test_at_all_is_no_verdict(series: Series) -> None:
    verdict, _ = whole(series, {})

    assert verdict.verdict is Verdict.NOT_JUDGED
    assert "no test was chosen" in judgement_text(verdict)


def test_the_text_names_the_patch_that_breaks_the_one_that_repairs_and_how_to_debug(
    series: Series,
) -> None:
    text = judgement_text(by_patch(series, MIDDLE))

    flat = " ".join(text.split())
    assert (
        'Patch 3/5 "swiotlb: do not fail a mapping that the device can do without" breaks B12, '
        "and patch 5/5 repairs it: test_exhaustion.py::test_full[probe-a] 3x PASS -> 3x FAIL "
        "assert 65 == 64 harness debug /e/FAIL"
    ) in flat
    assert 'Patch 5/5 "swiotlb: do fail a mapping that has to be bounced" repairs B12:' in flat
    assert flat.count(": nothing changes.") == 2
    assert flat.count(": nothing changes; 1 still failing.") == 1
    assert "breaks something in the middle and repairs it before its end" in flat


def test_of_tests_that_different_patches_repair_each_says_which(series: Series) -> None:
    results = {**MIDDLE, U: [PASS, PASS, PASS, FAIL, FAIL, FAIL]}

    text = judgement_text(by_patch(series, results))

    assert text.count("    patch 5/5 repairs it") == 1
    assert text.count("    nothing repairs it") == 1


def test_the_fewest_properties_that_explain_all_tests_come_first() -> None:
    def broken(*properties: str) -> Difference:
        bad = Case(T, Result.FAIL, properties)
        return Difference(T, Change.BROKEN, (Case(T, Result.PASS),), (bad,))

    assert (
        properties_at_stake([broken("B12"), broken("A1", "B3", "B12")])
        == " B12 (perhaps also A1 B3)"
    )
    assert properties_at_stake([broken("B12"), broken("B3")]) == " B3 B12"
    assert properties_at_stake([broken("FENCE"), broken("B2")]) == " B2 FENCE"
    assert properties_at_stake([broken()]) == ""


def test_a_series_that_breaks_a_fence_has_a_verdict(series: Series) -> None:
    """FENCE is an id without a number."""
    judgement, _ = whole(series, {T: [PASS, FAIL]})
    comparison = judgement.whole.outcome
    assert isinstance(comparison, Comparison)
    (broken,) = comparison.differences
    patched = tuple(replace(one, violated=("FENCE", "B2")) for one in broken.patched)
    outcome = replace(comparison, differences=(replace(broken, patched=patched),))
    judgement = replace(judgement, whole=replace(judgement.whole, outcome=outcome))

    assert "breaks B2 (perhaps also FENCE):" in " ".join(judgement_text(judgement).split())
    assert judgement.verdict.exit_code == 1


def test_lines_fit_a_mail(series: Series) -> None:
    text = judgement_text(by_patch(series, MIDDLE))

    assert [line for line in text.splitlines() if len(line) > 72] == []


def test_a_failure_on_both_is_not_the_series_fault_and_says_so(series: Series) -> None:
    verdict, _ = whole(series, {T: [FAIL, FAIL]})

    assert "Fails on the base too, and is not the fault of the series:" in judgement_text(verdict)


@pytest.mark.parametrize("same", [True, False])
def test_kernels_that_are_the_same_are_said_to_be(series: Series, same: bool) -> None:
    suite = FakeSuite({T: [PASS] * 6}, same_build=same)

    verdict = judge_series(REQUEST, series, fits(), suite)

    assert ("are the same, byte for byte" in judgement_text(verdict)) is same


def test_the_verdict_for_programs_has_every_outcome(series: Series) -> None:
    stored = as_json(by_patch(series, MIDDLE))

    assert stored["verdict"] == "bad"
    third = stored["patches"][2]
    assert third["tests"][0]["change"] == "broken"
    assert [one["result"] for one in third["tests"][0]["patched"]] == ["FAIL"] * 3
    assert stored["series"]["patches"][4]["fixes"]


TESTER = "A Tester <tester@example.org>"


@pytest.mark.parametrize("per_patch", [True, False])
@pytest.mark.parametrize(
    ("request_", "after", "tagged"),
    [(WHOLE, PASS, True), (WHOLE, FAIL, False), (REQUEST, PASS, False)],
    ids=["good", "bad", "chosen tests"],
)
def test_a_mail_has_a_tag_only_if_nothing_is_broken_in_the_whole_suite(
    series: Series, per_patch: bool, request_: SuiteRequest, after: list[str], tagged: bool
) -> None:
    suite = FakeSuite({T: [*[PASS] * 3, after, PASS, after]})

    text = mail_text(judge_series(request_, series, fits(), suite, per_patch=per_patch), TESTER)

    assert (f"Tested-by: {TESTER}" in text) is tagged


def test_what_is_broken_on_the_way_has_no_tag(series: Series) -> None:
    assert "Tested-by" not in mail_text(by_patch(series, MIDDLE), TESTER)


def test_patches_that_changed_something_have_a_page_each(series: Series) -> None:
    written = dict(pages(by_patch(series, MIDDLE), Path("verdict.html"), {}))

    assert [path.name for path in written] == [
        *["verdict.html", "verdict-0003.html", "verdict-0005.html"],
    ]
    assert all("test_full[probe-a]" in text for text in written.values())


def test_the_runs_are_kept_with_every_repetition(series: Series, tmp_path: Path) -> None:
    save_runs(by_patch(series, MIDDLE), tmp_path / "runs")

    runs = [load_run(path) for path in sorted((tmp_path / "runs").iterdir())]
    assert [len(run.tests) for run in runs] == [2, 2, 4, 4, 4, 4]


def test_the_command_answers_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    suite = FakeSuite(MIDDLE)
    monkeypatch.setattr("harness.cli.choice.run_suite", lambda request, _: suite(request))
    monkeypatch.setattr("harness.cli.validate.fit_series", lambda _: fits())
    words = ["validate", str(FIXTURE), f"--kernel={tiny_tree(tmp_path / 'linux')}"]
    stored = tmp_path / "verdict.json"

    assert main([*words, "--per-patch", f"--json={stored}"]) == 1
    assert main(words) == 0
    assert "Patch 3/5" in capsys.readouterr().out
    assert json.loads(stored.read_text())["verdict"] == "bad"
