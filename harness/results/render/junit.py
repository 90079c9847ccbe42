# SPDX-License-Identifier: Apache-2.0
"""JUnit XML: a suite for each run, with its provenance as properties."""

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from harness.base.result import Result
from harness.results import Case, Run
from harness.results.judge import Comparison, sides
from harness.results.render.artifacts import Artifacts
from harness.results.render.plain_text import block, counts
from harness.results.render.provenance import provenance_items

NOT_XML = {code: None for code in range(0x20) if chr(code) not in "\t\n\r"}
"""Characters that XML 1.0 cannot hold (section 2.2), and that a guest may have printed."""


SKIPPED = (Result.SKIP, Result.KNOWN, Result.NOT_JUDGED)


def junit(subject: Run | Comparison, artifacts: Mapping[str, Artifacts] | None = None) -> str:
    """The run as the suite ``suite``, or two runs as ``base`` and ``series``.

    The text of a ``<failure>`` is all that the test says, its message the first line of that.
    """
    root = ET.Element("testsuites", name="restricted-dma")
    for name, run in sides(subject).items():
        root.append(_suite(name, run, artifacts or {}))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(name: str, run: Run, artifacts: Mapping[str, Artifacts]) -> ET.Element:
    number = counts(run.tests)
    failures = sum(number.get(result, 0) for result in Result if result.against_kernel)
    suite = ET.Element(
        "testsuite",
        name=name,
        id=run.id,
        timestamp=run.begin,
        time=f"{run.seconds:.3f}",
        tests=str(len(run.tests)),
        failures=str(failures),
        errors=str(number.get(Result.ERROR, 0)),
        skipped=str(sum(number.get(result, 0) for result in SKIPPED)),
        hostname=run.provenance.host,
    )
    items = [*provenance_items(run.provenance), ("complete", str(run.complete).lower())]
    _add_properties(suite, items)
    for one in run.tests:
        suite.append(_case(one, artifacts.get(one.artifacts)))
    return suite


def _case(outcome: Case, kept: Artifacts | None) -> ET.Element:
    file, _, name = outcome.test.partition("::")
    case = ET.Element(
        "testcase",
        classname=file.removesuffix(".py").replace("/", "."),
        name=name,
        time=f"{outcome.seconds:.3f}",
    )
    _add_properties(
        case,
        [
            ("result", outcome.result),
            *(("property", number) for number in outcome.properties),
            *(("broken", number) for number in outcome.violated),
            *(("kernel-report", title) for title in (kept.titles if kept else ())),
            *(("notice", notice) for notice in outcome.notices),
            *([("artifacts", outcome.artifacts)] if outcome.artifacts else []),
        ],
    )
    if kind := _kind(outcome.result):
        said = block(outcome).translate(NOT_XML)
        message = said.partition("\n")[0]
        element = ET.SubElement(case, kind, type=outcome.result, message=message)
        element.text = said
    return case


def _kind(result: Result) -> str:
    """The element of a test case with that result; empty for none."""
    if result.against_kernel:
        return "failure"
    if result.against_harness:
        return "error"
    return "skipped" if result in SKIPPED else ""


def _add_properties(element: ET.Element, items: Sequence[tuple[str, str]]) -> None:
    properties = ET.SubElement(element, "properties")
    for name, value in items:
        ET.SubElement(properties, "property", name=name, value=value.translate(NOT_XML))
