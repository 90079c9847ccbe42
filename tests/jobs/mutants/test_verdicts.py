# SPDX-License-Identifier: Apache-2.0
"""From pytest's JUnit file to a verdict, and from verdicts to the kill table."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.base.result import Result
from harness.jobs.mutants import Judgement, Mutant, MutantTrial, kill_table, kills_json
from harness.jobs.mutants.mutant_trial import load_trial, weigh
from harness.results import Case, read_cases

BUG = Mutant(Path("07-overlap-x.patch"), "x", "overlap", ("B7", "E1"), "y", "default", "")
HARMLESS = Mutant(Path("90-harmless-x.patch"), "x", "harmless", (), "y", "default", "")

RIGHT = Case(
    "harness/suite/test_a.py::test_b[pool/pci]", Result.FAIL, ("B1", "B7"), "assert False", ("B7",)
)
WRONG = Case("harness/suite/test_a.py::test_c", Result.CRASH, ("B1",))

JUNIT = """\
<testsuites><testsuite name="pytest">
<testcase classname="harness.suite.test_a" name="test_b[pool/pci]"><properties>
<property name="property" value="B7"/><property name="result" value="FAIL"/>
<property name="broken" value="B7"/><property name="broken" value="B1"/>
</properties><failure message="assert False&#10; +  where">long</failure></testcase>
<testcase classname="harness.suite.test_a" name="test_d"><properties>
<property name="result" value="ERROR"/></properties>
<error message="failed on setup">long</error></testcase>
<testcase classname="harness.suite.test_a" name="test_e"><properties>
<property name="result" value="PASS"/></properties></testcase>
</testsuite></testsuites>
"""


def test_a_report_is_read(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(JUNIT)

    failed, error, passed = read_cases(tmp_path / "junit.xml")

    assert failed == RIGHT
    assert failed.against_kernel
    assert (error.result, error.message, error.against_kernel) == (
        "ERROR",
        "failed on setup",
        False,
    )
    assert (passed.result, passed.against_kernel) == ("PASS", False)


@pytest.mark.parametrize(
    ("mutant", "failed", "judgement"),
    [
        (BUG, [], Judgement.SURVIVED),
        (BUG, [WRONG], Judgement.WRONG_REASON),
        (BUG, [WRONG, RIGHT], Judgement.KILLED),
        (HARMLESS, [], Judgement.PASSED),
        (HARMLESS, [RIGHT], Judgement.ACCUSED),
    ],
)
def test_failures_are_weighed(mutant: Mutant, failed: list[Case], judgement: Judgement) -> None:
    assert weigh(mutant, failed) is judgement
    assert judgement.is_good == (judgement in (Judgement.KILLED, Judgement.PASSED))


def test_a_verdict_survives_its_file(tmp_path: Path) -> None:
    verdict = MutantTrial(BUG.name, Judgement.KILLED, (WRONG, RIGHT), 1.5, 2.5)

    verdict.save(tmp_path)

    assert load_trial(tmp_path) == verdict


def test_the_table_shows_the_test_that_names_what_is_broken() -> None:
    killed = MutantTrial(BUG.name, Judgement.KILLED, (WRONG, RIGHT), 11.2, 7.4)
    judged: list[tuple[Mutant, MutantTrial | str]] = [(BUG, killed), (HARMLESS, "no disk space")]
    out = io.StringIO()

    Console(file=out, width=200).print(kill_table(judged))

    assert "07-overlap-x" in out.getvalue()
    assert "test_a.py::test_b[pool/pci]: FAIL" in out.getvalue()
    assert "not judged │ no disk space" in out.getvalue()


def test_json_holds_every_failure() -> None:
    killed = MutantTrial(BUG.name, Judgement.KILLED, (WRONG, RIGHT), 11.23, 7.4)

    one, two = kills_json([(BUG, killed), (HARMLESS, "no disk space")])

    assert (one["mutant"], one["class"], one["verdict"]) == ("07-overlap-x", "overlap", "killed")
    assert [failed["test"] for failed in one["failed"]] == [WRONG.test, RIGHT.test]
    assert one["build_seconds"] == 11.2
    assert (two["verdict"], two["reason"]) == (None, "no disk space")
