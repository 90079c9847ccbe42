# SPDX-License-Identifier: Apache-2.0
"""The report as tables and lines on a terminal."""

from collections.abc import Iterator
from pathlib import Path

from rich.table import Column, Table

from harness.jobs.coverage.coverage_report import CoverageReport, PatchReport, Tally


def table(report: CoverageReport) -> Table:
    """Return one row for each function, and the sums of each file and of all."""
    numbers = [Column(title, justify="right") for title in ("lines", "run", "excused", "reached")]
    shown = Table("file", "function", *numbers, Column("branches taken", justify="right"))
    for path, tally in report.files.items():
        for one in report.functions:
            if one.extent.path == path:
                shown.add_row("", one.extent.name, *_cells(one.tally))
        shown.add_row(path, "", *_cells(tally), end_section=True)
    shown.add_row("all", "", *_cells(report.tally))
    return shown


def lines_never_run(report: CoverageReport) -> Iterator[str]:
    """Each line that never ran: its place, its text, and the reason if one is known."""
    for function in report.functions:
        for line in function.missed:
            reason = line.reason or "reason unknown"
            yield f"{line.path}:{line.number} {line.function}: {line.text}  [{reason}]"


def patch_lines(patch: PatchReport, sources: Path) -> Iterator[str]:
    """How many of the lines that a series adds to a file ran, and each that did not.

    *sources* is the kept part of the kernel's tree.
    """
    if not patch.code:
        yield f"{patch.path}: no added line has code in this kernel"
        return
    missed = [number for number in patch.code if number not in patch.run]
    rest = "; not run:" if missed else ""
    yield f"{patch.path}: {len(patch.run)} of {len(patch.code)} added lines with code ran{rest}"
    text = (sources / patch.path).read_text(errors="replace").splitlines()
    yield from (f"  {number}: {text[number - 1].strip()}" for number in missed)


def _cells(tally: Tally) -> tuple[str, ...]:
    numbers = (str(number) for number in (tally.lines, tally.run, tally.excused))
    return (*numbers, f"{tally.share:.1%}", f"{tally.taken} of {tally.branches}")
