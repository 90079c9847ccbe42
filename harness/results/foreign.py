# SPDX-License-Identifier: Apache-2.0
"""Results that another program wrote down: JUnit files of the suite or of any other tests."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from harness.base.properties import in_order
from harness.base.result import Result
from harness.results.case import MESSAGE_SIZE, Case


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
