# SPDX-License-Identifier: Apache-2.0
"""Read results of other programs: JUnit XML, or a kernel log."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

from harness.base.kreport import reports_in
from harness.base.kreport.reader import Report
from harness.base.properties import in_order
from harness.base.result import Result
from harness.results.case import MESSAGE_SIZE, Case
from harness.results.run import Run, no_kernel

RESULTS = {"failure": Result.FAIL, "error": Result.ERROR, "skipped": Result.SKIP}
"""What the elements of a JUnit test case mean without a property ``result``."""

_STAMP = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\]", re.MULTILINE)
"""How the lines of a kernel's log begin."""


def read_foreign(path: Path) -> Run:
    """Read *path*, JUnit XML or a kernel log, as a run.

    Each kernel report in a log is a case: CRASH if the kernel ended, else FAIL, or KNOWN if it is
    benign. A log without reports is one case that passed. Raises OSError or ValueError for any
    other file.
    """
    text = path.read_text(errors="replace")
    begin = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
    cases = _junit_cases(text)
    if cases is None:
        cases = [_report_case(one) for one in reports_in(text.splitlines())]
        if not cases and not _STAMP.search(text):
            raise ValueError("expected a run, JUnit XML or a kernel log")
        cases = cases or [Case(path.name, Result.PASS)]
    return Run(no_kernel(), begin, sum(one.seconds for one in cases), (), tuple(cases))


def read_cases(report: Path) -> list[Case]:
    """The tests in a JUnit file, in order; none if it is not JUnit."""
    return _junit_cases(report.read_text()) or []


def _junit_cases(text: str) -> list[Case] | None:
    try:
        return list(map(_junit_case, ET.fromstring(text).iter("testcase")))
    except ET.ParseError:
        return None


def _junit_case(case: ET.Element) -> Case:
    properties: dict[str, list[str]] = {}
    for one in case.iter("property"):
        properties.setdefault(one.get("name", ""), []).append(one.get("value", ""))
    elements = [kind for kind in RESULTS if case.find(kind) is not None]
    said = RESULTS[elements[0]] if elements else Result.PASS
    return Case(
        test=_node_id(case),
        result=Result(properties.get("result", [said])[-1]),
        violated=in_order(properties.get("broken", ())),
        message=_message(case),
        properties=in_order(properties.get("property", ())),
        seconds=float(case.get("time", 0)),
        artifacts=properties.get("artifacts", [""])[-1],
    )


def _report_case(report: Report) -> Case:
    """A kernel report as a test that failed."""
    result = Result.KNOWN if report.benign else Result.CRASH if report.ends else Result.FAIL
    return Case(report.title, result, message=report.first_line[:MESSAGE_SIZE])


def _node_id(case: ET.Element) -> str:
    """What pytest is given to run the test again: JUnit has the module in dots."""
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"


def _message(case: ET.Element) -> str:
    for kind in RESULTS:
        found = case.find(kind)
        if found is not None:
            return found.get("message", "").partition("\n")[0][:MESSAGE_SIZE]
    return ""
