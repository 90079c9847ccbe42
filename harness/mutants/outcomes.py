# SPDX-License-Identifier: Apache-2.0
"""How the tests of one run of the suite ended, read from the JUnit file that pytest leaves."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BAD = frozenset({"FAIL", "CRASH", "HANG"})
"""Results that speak against the kernel (harness/plugin/results.py)."""

ERROR = "ERROR"
"""The result that speaks against the harness or the host."""

MESSAGE_SIZE = 300
"""Characters that are kept of what a test said."""


@dataclass(frozen=True)
class CaseOutcome:
    """A test, its result, the promises that it found broken, and the first line of its reason."""

    test: str
    result: str
    broken: tuple[str, ...] = ()
    message: str = ""

    @property
    def is_bad(self) -> bool:
        """Whether it speaks against the kernel."""
        return self.result in BAD


def read_outcomes(report: Path) -> list[CaseOutcome]:
    """The tests in a JUnit file, in the order in which they ended."""
    return list(_outcomes(ET.parse(report).getroot()))


def _outcomes(root: ET.Element) -> Iterator[CaseOutcome]:
    for case in root.iter("testcase"):
        properties = [(one.get("name"), one.get("value", "")) for one in case.iter("property")]
        results = [value for name, value in properties if name == "result"]
        if results:
            broken = {value for name, value in properties if name == "broken"}
            yield CaseOutcome(_node_id(case), results[-1], tuple(sorted(broken)), _message(case))


def _node_id(case: ET.Element) -> str:
    """What pytest is given to run the test again: JUnit has the module in dots."""
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"


def _message(case: ET.Element) -> str:
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            return found.get("message", "").partition("\n")[0][:MESSAGE_SIZE]
    return ""
