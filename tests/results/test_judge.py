# SPDX-License-Identifier: Apache-2.0
"""The one judge: outcomes on two kernels -> change -> verdict -> exit code and Tested-by."""

from dataclasses import replace
from itertools import product

import pytest
from report_runs import FILE, base_run

from harness.base.result import Result
from harness.results import Case, Run
from harness.results.judge import (
    Change,
    Shown,
    change_of,
    compare,
    overall,
    shown,
    verdict_of_changes,
)
from harness.results.render import headline, mail
from harness.results.verdict import Verdict

ENDS = {
    "PASS": Shown.HELD,
    "KNOWN": Shown.KNOWN,
    "KNOWN PASS": Shown.KNOWN,
    "FAIL": Shown.VIOLATED,
    "CRASH": Shown.VIOLATED,
    "HANG FAIL": Shown.VIOLATED,
    "FAIL KNOWN": Shown.VIOLATED,
    "PASS FAIL": Shown.MIXED,
    "SKIP": Shown.SKIPPED,
    "ERROR": Shown.NOTHING,
    "NOT_JUDGED": Shown.NOTHING,
    "SKIP ERROR": Shown.NOTHING,
    "": Shown.NOTHING,
    # a repetition that says something replaces one that did not
    "ERROR PASS": Shown.HELD,
    "FAIL ERROR FAIL": Shown.VIOLATED,
    "SKIP PASS": Shown.HELD,
}

GOOD, BAD, OPEN = Verdict.GOOD, Verdict.BAD, Verdict.NOT_JUDGED

TABLE = {
    # base: results with the series, the change, the verdict if it is the only test
    ("PASS", "PASS"): (Change.STILL_PASSING, GOOD),
    ("PASS", "KNOWN"): (Change.KNOWN, GOOD),  # a finding that depends on timing
    ("PASS", "FAIL"): (Change.BROKEN, BAD),
    ("PASS", "CRASH"): (Change.BROKEN, BAD),
    ("PASS", "PASS FAIL"): (Change.FLAKY, OPEN),
    ("PASS", "SKIP"): (Change.NOT_JUDGED, OPEN),  # the series hides the property from its test
    ("PASS", "ERROR"): (Change.NOT_JUDGED, OPEN),
    ("PASS", "NOT_JUDGED"): (Change.NOT_JUDGED, OPEN),
    ("PASS", ""): (Change.NOT_JUDGED, OPEN),  # missing on the series
    ("KNOWN", "PASS"): (Change.FIXED, GOOD),  # told as a finding that no longer shows
    ("KNOWN", "KNOWN"): (Change.KNOWN, GOOD),
    ("KNOWN", "FAIL"): (Change.BROKEN, BAD),  # not as the finding describes it
    ("KNOWN", "PASS FAIL"): (Change.FLAKY, OPEN),
    ("KNOWN", "SKIP"): (Change.NOT_JUDGED, OPEN),
    ("KNOWN", "ERROR"): (Change.NOT_JUDGED, OPEN),
    ("FAIL", "PASS"): (Change.FIXED, GOOD),
    ("FAIL", "KNOWN"): (Change.STILL_FAILING, GOOD),
    ("FAIL", "FAIL"): (Change.STILL_FAILING, GOOD),
    ("FAIL", "CRASH"): (Change.STILL_FAILING, GOOD),
    ("FAIL", "PASS FAIL"): (Change.STILL_FLAKY, GOOD),
    ("FAIL", "SKIP"): (Change.NOT_JUDGED, OPEN),
    ("FAIL", "ERROR"): (Change.NOT_JUDGED, OPEN),
    ("PASS FAIL", "PASS"): (Change.STILL_FLAKY, GOOD),
    ("PASS FAIL", "KNOWN"): (Change.STILL_FLAKY, GOOD),
    ("PASS FAIL", "FAIL"): (Change.STILL_FLAKY, GOOD),
    ("PASS FAIL", "PASS FAIL"): (Change.STILL_FLAKY, GOOD),  # flaky on both kernels
    ("PASS FAIL", "SKIP"): (Change.NOT_JUDGED, OPEN),
    ("PASS FAIL", "ERROR"): (Change.NOT_JUDGED, OPEN),
    ("SKIP", "PASS"): (Change.PASSING, GOOD),
    ("SKIP", "KNOWN"): (Change.KNOWN, GOOD),
    ("SKIP", "FAIL"): (Change.NOT_JUDGED, OPEN),  # there is nothing to compare it with
    ("SKIP", "PASS FAIL"): (Change.NOT_JUDGED, OPEN),
    ("SKIP", "SKIP"): (Change.SKIPPED, OPEN),  # no test is judged
    ("SKIP", "ERROR"): (Change.NOT_JUDGED, OPEN),
    ("ERROR", "PASS"): (Change.PASSING, GOOD),
    ("ERROR", "KNOWN"): (Change.KNOWN, GOOD),
    ("ERROR", "FAIL"): (Change.NOT_JUDGED, OPEN),
    ("ERROR", "PASS FAIL"): (Change.NOT_JUDGED, OPEN),
    ("ERROR", "SKIP"): (Change.NOT_JUDGED, OPEN),
    ("ERROR", "ERROR"): (Change.NOT_JUDGED, OPEN),
    ("", "PASS"): (Change.PASSING, GOOD),  # missing on the base
    ("", "FAIL"): (Change.NOT_JUDGED, OPEN),
    ("", "SKIP"): (Change.NOT_JUDGED, OPEN),
    ("ERROR PASS", "PASS ERROR"): (Change.STILL_PASSING, GOOD),
    ("ERROR PASS", "ERROR FAIL"): (Change.BROKEN, BAD),
}


def cases(results: str, test: str = "test_it") -> tuple[Case, ...]:
    return tuple(Case(f"{FILE}::{test}", Result(one)) for one in results.split())


def run(*tests: Case, complete: bool = True) -> Run:
    return replace(base_run(), tests=tests, complete=complete)


@pytest.mark.parametrize(("results", "what"), ENDS.items())
def test_the_outcomes_of_a_test_on_one_kernel_show_one_thing(results: str, what: Shown) -> None:
    assert shown(cases(results)) is what


@pytest.mark.parametrize(("before", "after"), TABLE)
def test_a_test_changes_as_the_table_says(before: str, after: str) -> None:
    change, verdict = TABLE[before, after]

    comparison = compare(run(*cases(before)), run(*cases(after)))

    assert change_of(cases(before), cases(after)) is change
    assert comparison.verdict is verdict


def test_the_table_has_every_pair_of_what_two_kernels_can_show() -> None:
    pairs = {(shown(cases(before)), shown(cases(after))) for before, after in TABLE}

    assert pairs == set(product(Shown, Shown))


@pytest.mark.parametrize(("before", "after"), TABLE)
def test_a_mail_has_a_tag_exactly_where_the_exit_code_is_0(before: str, after: str) -> None:
    comparison = compare(run(*cases(before)), run(*cases(after)))

    tagged = "Tested-by: A <a@b>" in mail(comparison, tester="A <a@b>")

    assert tagged is (comparison.verdict.exit_code == 0)


@pytest.mark.parametrize(
    ("changes", "complete", "verdict"),
    [
        ([], True, OPEN),
        ([Change.SKIPPED], True, OPEN),
        ([Change.SKIPPED, Change.STILL_PASSING], True, GOOD),
        ([Change.STILL_FAILING, Change.STILL_FLAKY, Change.KNOWN], True, GOOD),
        ([Change.FIXED, Change.PASSING], True, GOOD),
        ([Change.STILL_PASSING], False, OPEN),
        ([Change.STILL_PASSING, Change.NOT_JUDGED], True, OPEN),
        ([Change.STILL_PASSING, Change.FLAKY], True, OPEN),
        ([Change.BROKEN, Change.NOT_JUDGED, Change.FLAKY], False, BAD),
    ],
)
def test_the_changes_of_all_tests_give_one_verdict(
    changes: list[Change], complete: bool, verdict: Verdict
) -> None:
    assert verdict_of_changes(changes, complete) is verdict


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ([], GOOD),
        ([GOOD, OPEN], OPEN),
        ([OPEN, BAD, GOOD], BAD),
    ],
)
def test_bad_outranks_not_judged(verdicts: list[Verdict], verdict: Verdict) -> None:
    assert overall(verdicts) is verdict


def test_a_known_finding_that_passes_is_told_as_gone() -> None:
    base = run(
        *(*cases("KNOWN", "test_a"), *cases("FAIL", "test_b"), *cases("KNOWN", "test_c")),
    )
    patched = run(
        *(*cases("PASS", "test_a"), *cases("PASS", "test_b"), *cases("KNOWN", "test_c")),
    )

    comparison = compare(base, patched)

    assert [one.test for one in comparison.findings_gone] == [f"{FILE}::test_a"]


@pytest.mark.parametrize(
    ("results", "complete", "said"),
    [
        ("PASS", True, "1 test passed; nothing is broken"),
        ("PASS", False, "not judged: 1 test judged; the run is incomplete"),
        ("SKIP", True, "not judged: every test was skipped"),
        ("PASS NOT_JUDGED", True, "not judged: 1 of 2 tests have no result"),
        ("FAIL NOT_JUDGED", True, "1 FAIL of 2 tests"),
        ("PASS KNOWN", True, "1 test passed, 1 known finding; nothing is broken"),
    ],
)
def test_a_headline_says_good_only_of_a_good_run(results: str, complete: bool, said: str) -> None:
    assert headline(run(*cases(results), complete=complete)) == said
