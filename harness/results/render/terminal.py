# SPDX-License-Identifier: Apache-2.0
"""The summary for a terminal: a line for each failure, the violations in full, the verdict."""

from collections.abc import Iterator, Mapping

from rich.markup import escape
from rich.table import Column, Table

from harness.results import Case, Run
from harness.results.judge import Change, Comparison, judged, sides
from harness.results.render.artifacts import Artifacts
from harness.results.render.plain_text import (
    COSTS,
    block,
    failure_lines,
    findings_gone,
    notices,
    short_name,
    tally,
    telling,
)
from harness.results.render.summary import headline

QUIET = frozenset({"PASS", "SKIP", "KNOWN"})
"""Results that are only counted."""

QUIET_CHANGES = (Change.STILL_PASSING, Change.PASSING, Change.KNOWN, Change.SKIPPED)

COLOURS = {
    "FAIL": "red",
    "CRASH": "red",
    "HANG": "red",
    "ERROR": "magenta",
    "KNOWN": "yellow",
    "PASS": "green",
    Change.BROKEN.value: "red",
    Change.FLAKY.value: "yellow",
    Change.FIXED.value: "green",
}


def terminal_table(subject: Run | Comparison, artifacts: Mapping[str, Artifacts]) -> Table | None:
    """Tests that did not simply pass; None if there are none."""
    if isinstance(subject, Run):
        table = Table("result", Column("test", ratio=2), Column("why", ratio=3))
        for one in subject.tests:
            if one.result not in QUIET:
                table.add_row(_word(one.result), escape(short_name(one.test)), _why(one, artifacts))
    else:
        table = Table("", "base", "series", Column("test", ratio=2), Column("why", ratio=3))
        for d in subject.differences:
            if d.change not in QUIET_CHANGES:
                ends = (" ".join(o.result for o in side) or "-" for side in (d.base, d.patched))
                why = _why(telling(d.patched), artifacts) if d.patched else ""
                table.add_row(_word(d.change.value), *ends, escape(short_name(d.test)), why)
    return table if table.row_count else None


def terminal_lines(subject: Run | Comparison) -> Iterator[str]:
    """The violations in full, the notices, the numbers, and the verdict."""
    for case in _violating(subject):
        yield from [f"{short_name(case.test)}: {case.result}", *failure_lines(case, "  "), ""]
    runs = sides(subject)
    for notice in notices(list(runs.values())[-1]):
        yield f"notice: {notice}"
    if isinstance(subject, Comparison) and (gone := findings_gone(subject)):
        yield gone
    if isinstance(subject, Comparison) and subject.costs:
        yield from [f"{COSTS}:", *(f"  {line}" for line in subject.costs)]
    for name, run in runs.items():
        side = f"{name}, " if len(runs) > 1 else ""
        yield f"{side}{run.provenance.release}: {tally(run.tests)}, {run.seconds:.0f} s"
    yield f"{headline(subject)} (verdict: {judged(subject).value})"


def _violating(subject: Run | Comparison) -> Iterator[Case]:
    """Cases whose violations are printed; for a series those that it breaks."""
    if isinstance(subject, Run):
        yield from (one for one in subject.tests if one.violations and one.result.at_fault)
        return
    told = (telling(d.patched) for d in subject.having(Change.BROKEN, Change.FLAKY))
    yield from (one for one in told if one.violations)


def _word(word: str) -> str:
    colour = COLOURS.get(word)
    return f"[{colour}]{word}[/{colour}]" if colour else word


def _why(outcome: Case, artifacts: Mapping[str, Artifacts]) -> str:
    kept = artifacts.get(outcome.artifacts)
    first = block(outcome).partition("\n")[0]
    return escape("\n".join([*(kept.titles if kept else ()), first]).strip())
