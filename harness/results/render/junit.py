# SPDX-License-Identifier: Apache-2.0
"""JUnit XML, one suite a run, with where everything came from as properties of the suite."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence

from harness.base.result import Result
from harness.results import Case, Provenance, Run
from harness.results.render.plain_text import counts

NOT_XML = {code: None for code in range(0x20) if chr(code) not in "\t\n\r"}
"""Characters that XML 1.0 cannot hold (section 2.2), and that a guest may have printed."""


def junit(runs: Mapping[str, Run], crashes: Mapping[str, Sequence[str]] | None = None) -> str:
    """The *runs*, each by the name of its suite; *crashes* are titles by artifacts directory."""
    root = ET.Element("testsuites", name="restricted-dma")
    for name, run in runs.items():
        root.append(_suite(name, run, crashes or {}))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def provenance_items(where: Provenance) -> Iterator[tuple[str, str]]:
    """Everything that is known of where a run came from: name and value, patches in order."""
    yield "kernel.release", where.release
    yield "kernel.build-id", where.build_id
    yield "kernel.key", where.kernel_key
    yield "kernel.source", where.source
    yield from (("series.patch", patch) for patch in where.series)
    yield "config.hash", where.config
    yield "config.flavour", where.flavour
    yield "compiler", where.compiler
    yield "qemu", where.qemu
    yield "harness", where.harness
    yield "host", where.host


def _suite(name: str, run: Run, crashes: Mapping[str, Sequence[str]]) -> ET.Element:
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
        skipped=str(number.get(Result.SKIP, 0) + number.get(Result.KNOWN, 0)),
        hostname=run.provenance.host,
    )
    items = [*provenance_items(run.provenance), ("complete", str(run.complete).lower())]
    _add_properties(suite, items)
    for one in run.tests:
        suite.append(_case(one, crashes.get(one.artifacts, ())))
    return suite


def _case(outcome: Case, crashes: Sequence[str]) -> ET.Element:
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
            *(("crash", title) for title in crashes),
            *([("artifacts", outcome.artifacts)] if outcome.artifacts else []),
        ],
    )
    said = outcome.message.translate(NOT_XML)
    if outcome.against_kernel:
        ET.SubElement(case, "failure", type=outcome.result, message=said)
    elif outcome.result.against_harness:
        ET.SubElement(case, "error", type=outcome.result, message=said)
    elif outcome.result in ("SKIP", "KNOWN"):
        ET.SubElement(case, "skipped", type=outcome.result, message=said)
    return case


def _add_properties(element: ET.Element, items: Sequence[tuple[str, str]]) -> None:
    properties = ET.SubElement(element, "properties")
    for name, value in items:
        ET.SubElement(properties, "property", name=name, value=value.translate(NOT_XML))
