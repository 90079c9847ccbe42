# SPDX-License-Identifier: Apache-2.0
"""A run comes back from its file as it was."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_provenance import provenance

from harness.base.result import Result
from harness.base.violation import Violation
from harness.results import Case, Run, RunFile, load_run, read_cases, save_run

WHERE = provenance(series=("one.patch", "two.patch"))
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
def test_a_killed_run_keeps_the_tests_that_ended(tmp_path: Path, cut: int, tests: int) -> None:
    file = RunFile(tmp_path / "run.jsonl", replace(RUN, tests=()))
    for case in RUN.tests:
        file.add(case)
    file.close()
    text = (tmp_path / "run.jsonl").read_text()
    (tmp_path / "run.jsonl").write_text((text + '{"end": {"seconds": 1, "complete": tr')[:cut])

    run = load_run(tmp_path / "run.jsonl")

    assert (run.tests, run.complete, run.id) == (RUN.tests[:tests], False, RUN.id)


@pytest.mark.parametrize("text", ["", "{}", '{"version": 99}', "x", "[]", '{"version": 1}'])
def test_what_is_not_a_run_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.jsonl").write_text(text)

    with pytest.raises(ValueError, match=r"line|version|empty"):
        load_run(tmp_path / "run.jsonl")


def test_a_damaged_line_is_not_taken_for_the_cut_of_a_kill(tmp_path: Path) -> None:
    save_run(RUN, tmp_path / "run.jsonl")
    header, first, *rest = (tmp_path / "run.jsonl").read_text().splitlines()
    (tmp_path / "run.jsonl").write_text("\n".join([header, first[:-20], *rest]))

    with pytest.raises(ValueError, match="line 2 is not JSON"):
        load_run(tmp_path / "run.jsonl")


def test_a_killed_run_lasted_until_its_last_test(tmp_path: Path) -> None:
    save_run(RUN, tmp_path / "run.jsonl")
    lines = (tmp_path / "run.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "run.jsonl").write_text("".join(lines[:-1]))

    assert load_run(tmp_path / "run.jsonl").seconds == RUN.seconds


def test_a_reader_of_a_run_never_sees_a_part_of_the_next(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    save_run(RUN, path)
    before = path.read_text()

    with path.open() as reader:
        save_run(replace(RUN, seconds=99.0), path)
        assert reader.read() == before


def test_every_run_has_an_id_of_its_own() -> None:
    one, two = (Run(WHERE, RUN.begin, 1.0, (), ()) for _ in range(2))

    assert one.id != two.id


@pytest.mark.parametrize(("test", "case"), [(FAILED.test, FAILED), ("no::such", None)])
def test_a_test_is_found_by_its_node_id(test: str, case: Case | None) -> None:
    assert RUN.case(test) == case


def test_time_properties_and_artifacts_are_read_from_junit(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(JUNIT)

    (outcome,) = read_cases(report)

    assert (outcome.seconds, outcome.properties, outcome.artifacts) == (1.5, ("B7",), "/kept/here")
    assert outcome.message == "assert False"
