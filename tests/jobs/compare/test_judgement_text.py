# SPDX-License-Identifier: Apache-2.0
"""A judgement on a series as text, mail, pages and JSON, and as the command's exit code."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from judgements import MIDDLE, by_patch, fits, whole
from kernel_trees import tiny_tree
from validate_fakes import FAIL, FULL_POOL, PASS, REQUEST, FakeSuite, T, U

from harness.base.result import Result
from harness.cli import main
from harness.jobs.compare import (
    Series,
    as_json,
    judge_series,
    judgement_text,
    mail_text,
    pages,
    save_runs,
)
from harness.jobs.compare.series_text import properties_at_stake
from harness.kernel import KernelSpec
from harness.results import Case, SuiteRequest, load_run
from harness.results.judge import Change, Comparison, Difference

pytestmark = pytest.mark.usefixtures("cache")

WHOLE = SuiteRequest(KernelSpec())


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

    assert ("are the same, byte for byte" in " ".join(judgement_text(verdict).split())) is same
    assert verdict.verdict.exit_code == (2 if same else 0)


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
    monkeypatch.setattr("harness.cli.validate.reach_series", lambda *_: None)
    words = ["validate", str(FULL_POOL), f"--kernel={tiny_tree(tmp_path / 'linux')}"]
    stored = tmp_path / "verdict.json"

    assert main([*words, "--per-patch", f"--json={stored}"]) == 1
    assert main(words) == 0
    assert "Patch 3/5" in capsys.readouterr().out
    assert json.loads(stored.read_text())["verdict"] == "bad"
