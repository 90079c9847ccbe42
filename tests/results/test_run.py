# SPDX-License-Identifier: Apache-2.0
"""A run comes back from its file as it was."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.base.result import Result
from harness.base.violation import Violation
from harness.results import Case, Provenance, Run, RunFile, load_run, read_cases, save_run

WHERE = Provenance(
    *("key", "6.12.117", "c0ffee", "debian:6.12", ("one.patch", "two.patch"), "config", "gcc 12"),
    *("", "QEMU emulator version 7.2.22", "v1-3-gabc", "host"),
)
PASSED = Case("harness/suite/test_a.py::test_b", Result.PASS, properties=("B1",), seconds=0.25)
SEEN = Violation(
    ("B7",), "slots overlap", calls=("dma_map_single(...)",), places=("0x1 a", "0x2 b")
)
FAILED = Case(
    *("harness/suite/test_a.py::test_c", Result.FAIL, ("B7",), "assert", ("B7",), 1.5, "/kept"),
    *((SEEN,), ("a notice",)),
)
RUN = Run(WHERE, "2026-11-25T00:00:00.000+00:00", 12.5, ("--tier=default",), (PASSED, FAILED))

JUNIT = """\
<testsuites><testsuite name="pytest">
<testcase classname="harness.suite.test_a" name="test_c" time="1.5"><properties>
<property name="property" value="B7"/><property name="result" value="FAIL"/>
<property name="broken" value="B7"/><property name="artifacts" value="/kept/here"/>
</properties><failure message="assert False&#10;more">...</failure></testcase>
</testsuite></testsuites>
"""


def test_a_run_survives_its_file(tmp_path: Path) -> None:
    save_run(RUN, tmp_path / "run.jsonl")

    assert load_run(tmp_path / "run.jsonl") == RUN


@pytest.mark.parametrize(("cut", "tests"), [(-1, 2), (-30, 2), (-100, 1)])
def test_of_a_killed_run_all_tests_that_ended_are_read(
    tmp_path: Path, cut: int, tests: int
) -> None:
    file = RunFile(tmp_path / "run.jsonl", replace(RUN, tests=()))
    for case in RUN.tests:
        file.add(case)
    file.close()
    text = (tmp_path / "run.jsonl").read_text()
    (tmp_path / "run.jsonl").write_text((text + '{"end": {"seconds": 1, "complete": tr')[:cut])

    run = load_run(tmp_path / "run.jsonl")

    assert (run.tests, run.complete, run.id) == (RUN.tests[:tests], False, RUN.id)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 99}', "x", "[]", '{"version": 1}'])
def test_what_is_no_run_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.jsonl").write_text(text)

    with pytest.raises(ValueError, match=r"line|version|empty"):
        load_run(tmp_path / "run.jsonl")


def test_every_run_has_an_id_of_its_own() -> None:
    one, two = (Run(WHERE, RUN.begin, 1.0, (), ()) for _ in range(2))

    assert one.id != two.id


@pytest.mark.parametrize(("test", "outcome"), [(FAILED.test, FAILED), ("no::such", None)])
def test_a_test_is_found_by_its_node_id(test: str, outcome: Case | None) -> None:
    assert RUN.outcome(test) == outcome


def test_time_properties_and_artifacts_are_read_from_junit(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(JUNIT)

    (outcome,) = read_cases(report)

    assert (outcome.seconds, outcome.properties, outcome.artifacts) == (1.5, ("B7",), "/kept/here")
    assert outcome.message == "assert False"
