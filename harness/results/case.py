# SPDX-License-Identifier: Apache-2.0
"""How the tests of one run of the suite ended, read from the JUnit file that pytest leaves."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.properties import in_order
from harness.base.result import Result
from harness.base.violation import Violation, violation_from

MESSAGE_SIZE = 300
"""Characters that are kept of what a test said."""


@dataclass(frozen=True)
class Case:
    """A test by its node id, and its result's name.

    *violated* are the properties that it found violated, *properties* all that it is about,
    *message* the first line of its reason, *seconds* what it took, *artifacts* the folder with
    what is kept of its guests (empty if nothing is).
    """

    test: str
    result: Result
    violated: tuple[str, ...] = ()
    message: str = ""
    properties: tuple[str, ...] = ()
    seconds: float = 0.0
    artifacts: str = ""
    violations: tuple[Violation, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def against_kernel(self) -> bool:
        """Whether it speaks against the kernel."""
        return self.result.against_kernel


def case_from(content: dict[str, Any]) -> Case:
    """The case that ``dataclasses.asdict`` made *content* of, with JSON between."""
    lists = {name: tuple(content.get(name, ())) for name in ("violated", "properties", "notices")}
    violations = tuple(violation_from(one) for one in content.get("violations", ()))
    result = Result(content["result"])
    return Case(**{**content, **lists, "violations": violations, "result": result})


def read_cases(report: Path) -> list[Case]:
    """The tests in a JUnit file, in the order in which they ended."""
    return list(_outcomes(ET.parse(report).getroot()))


def _outcomes(root: ET.Element) -> Iterator[Case]:
    for case in root.iter("testcase"):
        properties: dict[str, list[str]] = {}
        for one in case.iter("property"):
            properties.setdefault(one.get("name", ""), []).append(one.get("value", ""))
        if "result" in properties:
            yield Case(
                test=_node_id(case),
                result=Result(properties["result"][-1]),
                violated=in_order(properties.get("broken", ())),
                message=_message(case),
                properties=in_order(properties.get("property", ())),
                seconds=float(case.get("time", 0)),
                artifacts=properties.get("artifacts", [""])[-1],
            )


def _node_id(case: ET.Element) -> str:
    """What pytest is given to run the test again: JUnit has the module in dots."""
    return f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"


def _message(case: ET.Element) -> str:
    for kind in ("failure", "error"):
        found = case.find(kind)
        if found is not None:
            return found.get("message", "").partition("\n")[0][:MESSAGE_SIZE]
    return ""
