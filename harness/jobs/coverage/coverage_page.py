# SPDX-License-Identifier: Apache-2.0
"""The report as one page of HTML: the numbers, and the source with what ran and what did not."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from harness.jobs.coverage.coverage_report import CoverageReport, FunctionReport, PatchReport, Tally
from harness.jobs.coverage.coverage_table import patch_lines
from harness.kernel.build.gcov import CoveredLine

_HEAD = """\
<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px sans-serif; margin: 2em; }}
table {{ border-collapse: collapse; }}
td, th {{ padding: 1px 8px; text-align: right; }}
td:first-child, th:first-child, .source td:last-child {{ text-align: left; }}
.source {{ font: 13px monospace; white-space: pre; tab-size: 8; }}
.run {{ background: #dfd; }} .partly {{ background: #ffc; }}
.missed {{ background: #fcc; }} .excused {{ background: #ddd; }}
</style></head><body><h1>{title}</h1>
"""


def page(report: CoverageReport, sources: Path, title: str) -> str:
    """Return the page; *sources* is the kernel's tree, as far as it has lines that are counted."""
    return "".join((_HEAD.format(title=escape(title)), *_body(report, sources), "</body></html>\n"))


def _body(report: CoverageReport, sources: Path) -> Iterator[str]:
    yield "<table><tr><th></th><th>lines</th><th>run</th><th>excused</th><th>reached</th>"
    yield "<th>branches</th><th>taken</th></tr>\n"
    for path, tally in report.files.items():
        yield _row(f"<b>{escape(path)}</b>", tally)
        for one in report.functions:
            if one.extent.path == path:
                yield _row(f'<a href="#{_anchor(one)}">{one.extent.name}</a>', one.tally)
    yield _row("<b>all</b>", report.tally) + "</table>\n"
    yield from _patches(report.patches, sources)
    for one in report.functions:
        yield from _function(one, (sources / one.extent.path).read_text(errors="replace"))


def _row(name: str, tally: Tally) -> str:
    numbers = (tally.lines, tally.run, tally.excused, f"{tally.share:.1%}")
    cells = "".join(f"<td>{cell}</td>" for cell in (*numbers, tally.branches, tally.taken))
    return f"<tr><td>{name}</td>{cells}</tr>\n"


def _patches(patches: tuple[PatchReport, ...], sources: Path) -> Iterator[str]:
    if patches:
        yield "<h2>The series</h2><ul>"
        for patch in patches:
            yield f"<li>{'<br>'.join(map(escape, patch_lines(patch, sources)))}</li>"
        yield "</ul>\n"


def _function(function: FunctionReport, source: str) -> Iterator[str]:
    extent = function.extent
    counted = {line.number: line for line in function.lines}
    reasons = {line.number: line.reason for line in function.missed}
    yield f'<h3 id="{_anchor(function)}">{escape(extent.path)}: {extent.name}</h3>'
    yield '<table class="source">'
    for number, text in enumerate(source.splitlines(), 1):
        if number in extent:
            yield _source_line(number, text, counted.get(number), reasons.get(number, ""))
    yield "</table>\n"


def _source_line(number: int, text: str, line: CoveredLine | None, reason: str) -> str:
    count = "" if line is None else str(line.count)
    taken = [branch > 0 for branch in line.branches] if line else []
    branches = f"{sum(taken)}/{len(taken)}" if taken else ""
    cells = f"<td>{number}</td><td>{count}</td><td>{branches}</td><td>{escape(text)}</td>"
    return f'<tr class="{_class(line, reason)}" title="{escape(reason)}">{cells}</tr>\n'


def _class(line: CoveredLine | None, reason: str) -> str:
    if line is None:
        return "none"
    if line.count == 0:
        return "excused" if reason else "missed"
    return "run" if all(line.branches) else "partly"


def _anchor(function: FunctionReport) -> str:
    return f"{function.extent.name}-{function.extent.first}"
