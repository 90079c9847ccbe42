# SPDX-License-Identifier: Apache-2.0
"""What a repair does, from the results of its finding's tests and of the default suite."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from made_up_provenance import provenance
from rich.console import Console
from validate_fakes import outcome

from harness.base.errors import BuildError, SeriesError
from harness.jobs.fixes import (
    Fix,
    FixOutcome,
    FixTrial,
    fix_table,
    fixes_json,
    read_fixes,
    try_fix,
    try_together,
)
from harness.kernel import KernelSpec
from harness.results import Run, SuiteRequest, Verdict
from harness.results.request import choice_of

OWN, OTHER = "harness/suite/properties/test_x.py::test_own", "harness/suite/x.py::test_other"

FIRST = Fix("first", {"6.12": Path("/fixes/first/6.12.patch")})
FIX = Fix("torn-page", {"6.12": Path("/fixes/torn-page/6.12.patch")}, (FIRST,))


@dataclass(frozen=True)
class FakeSuite:
    """Results of OWN and OTHER without and with the series."""

    own: tuple[str, str]
    other: tuple[str, str] = ("PASS", "PASS")
    refuses: Exception | None = None

    def __call__(self, request: SuiteRequest) -> Run:
        """Takes the place of run_suite()."""
        patched = bool(request.spec.series)
        if patched and self.refuses:
            raise self.refuses
        results: Mapping[str, tuple[str, str]] = {OWN: self.own, OTHER: self.other}
        names = request.tests or ((OWN,) if request.findings else tuple(results))
        cases = tuple(outcome(name, results[name][patched]) for name in names)
        return Run(provenance(), "2026-01-05T10:00:00.000+00:00", 1.0, choice_of(request), cases)


def tried(suite: FakeSuite) -> FixTrial:
    return try_fix(FIX, "6.12", SuiteRequest(KernelSpec()), suite, suite)


def test_a_patch_comes_after_those_that_it_needs() -> None:
    last = Fix("last", {"6.12": Path("/fixes/last/6.12.patch")}, (FIX, FIRST))

    assert [path.parent.name for path in last.series("6.12")] == ["first", "torn-page", "last"]


@pytest.mark.parametrize(
    ("suite", "expected", "verdict"),
    [
        (FakeSuite(("KNOWN", "PASS")), FixOutcome.REPAIRED, Verdict.GOOD),
        (FakeSuite(("KNOWN", "KNOWN")), FixOutcome.NOT_REPAIRED, Verdict.BAD),
        (FakeSuite(("KNOWN", "FAIL")), FixOutcome.BREAKS, Verdict.BAD),
        (FakeSuite(("KNOWN", "PASS"), ("PASS", "FAIL")), FixOutcome.BREAKS, Verdict.BAD),
        (FakeSuite(("KNOWN", "SKIP")), FixOutcome.NOT_JUDGED, Verdict.NOT_JUDGED),
        (FakeSuite(("KNOWN", "ERROR")), FixOutcome.NOT_JUDGED, Verdict.NOT_JUDGED),
        (FakeSuite(("PASS", "PASS")), FixOutcome.NOT_SHOWN, Verdict.NOT_JUDGED),
        (FakeSuite(("KNOWN", "PASS"), refuses=BuildError("no")), FixOutcome.BREAKS, Verdict.BAD),
        (
            FakeSuite(("KNOWN", "PASS"), refuses=SeriesError("no")),
            FixOutcome.NOT_JUDGED,
            Verdict.NOT_JUDGED,
        ),
    ],
)
def test_a_repair_ends_its_finding_and_changes_nothing_else(
    suite: FakeSuite, expected: FixOutcome, verdict: Verdict
) -> None:
    trial = tried(suite)

    assert (trial.outcome, trial.outcome.verdict) == (expected, verdict)


def test_the_table_has_before_after_and_other_tests_that_change() -> None:
    trials = [
        tried(FakeSuite(("KNOWN", "PASS"), ("FAIL", "PASS"))),
        tried(FakeSuite(("KNOWN", "PASS"), refuses=SeriesError("hunk 2 of swiotlb.c"))),
    ]
    console = Console(width=300, file=io.StringIO())

    with console.capture() as printed:
        console.print(fix_table(trials))

    text = printed.get()
    assert "torn-page" in text
    assert "1 known" in text
    assert "1 held" in text
    assert "test_other is fixed" in text
    assert "it does not apply: hunk 2 of swiotlb.c" in text
    first, second = fixes_json(trials)
    assert first["changed"] == {OWN: "fixed", OTHER: "fixed"}
    assert second["outcome"] == "not judged"


def test_all_repairs_at_once_have_a_row_for_each_finding() -> None:
    known = replace(outcome(OWN, "KNOWN"), message="docs/findings.md: torn-page")
    suite = FakeSuite(("KNOWN", "PASS"))

    def base(request: SuiteRequest) -> Run:
        run = suite(request)
        return replace(run, tests=tuple(known if one.test == OWN else one for one in run.tests))

    series, findings = FIX.series("6.12"), ("torn-page", "first")
    trials = try_together(series, findings, "6.12", SuiteRequest(KernelSpec()), (suite, base))

    assert [(one.name, one.before, one.after, one.outcome) for one in trials] == [
        ("torn-page", "1 known", "1 held", FixOutcome.REPAIRED),
        ("first", "none", "none", FixOutcome.NOT_SHOWN),
        ("all of them", "1 known", "1 held", FixOutcome.REPAIRED),
    ]


def test_a_repair_is_tried_in_the_flavour_in_which_its_finding_shows() -> None:
    asked: list[str] = []

    def suite(request: SuiteRequest) -> Run:
        asked.append(request.spec.flavour)
        return FakeSuite(("KNOWN", "PASS"))(request)

    try_fix(replace(FIX, flavour="gki"), "6.12", SuiteRequest(KernelSpec()), suite, suite)

    assert set(asked) == {"gki"}


def test_a_finding_of_a_flavour_is_not_asked_of_the_plain_kernel() -> None:
    fixes = read_fixes()

    assert "track-hiwater-oops" not in fixes.shown_together("7.3")
    assert "attach-race" in fixes.shown_together("7.3")
    assert any("track-hiwater-oops" in str(one) for one in fixes.together("7.3"))
