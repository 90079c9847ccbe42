# SPDX-License-Identifier: Apache-2.0
"""The summary for a terminal: one line a test that is worth one, then the verdict."""

from collections.abc import Iterator, Mapping

from rich.markup import escape
from rich.table import Column, Table

from harness.results import Case, Run
from harness.results.judge import Change, Comparison
from harness.results.render.artifacts import Artifacts
from harness.results.render.plain_text import counts, short_name
from harness.results.render.summary import headline

QUIET = frozenset({"PASS", "SKIP", "KNOWN"})
"""Results of which only the number is told."""

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
    """The tests that did not simply pass; None if there are none."""
    if isinstance(subject, Run):
        table = Table("result", Column("test", ratio=2), Column("why", ratio=3))
        for one in subject.tests:
            if one.result not in QUIET:
                table.add_row(_word(one.result), escape(short_name(one.test)), _why(one, artifacts))
    else:
        table = Table("", "base", "series", Column("test", ratio=2), Column("why", ratio=3))
        for d in subject.differences:
            if d.change is not Change.STILL_PASSING and not _is_quiet(d.base, d.patched):
                ends = (" ".join(o.result for o in side) or "-" for side in (d.base, d.patched))
                why = _why(d.patched[-1], artifacts) if d.patched else ""
                table.add_row(_word(d.change.value), *ends, escape(short_name(d.test)), why)
    return table if table.row_count else None


def terminal_lines(subject: Run | Comparison) -> Iterator[str]:
    """The numbers, and the verdict."""
    runs = {"": subject} if isinstance(subject, Run) else _sides(subject)
    for name, run in runs.items():
        numbers = "  ".join(f"{result} {number}" for result, number in counts(run.tests).items())
        yield f"{name}{run.provenance.release}: {numbers}, {run.seconds:.0f} s"
    yield headline(subject)


def _sides(comparison: Comparison) -> dict[str, Run]:
    return {"base, ": comparison.base, "series, ": comparison.patched}


def _is_quiet(base: tuple[Case, ...], patched: tuple[Case, ...]) -> bool:
    """Whether nothing happened on either side: skipped on both, known on both."""
    results = {one.result for one in (*base, *patched)}
    return len(results) == 1 and results <= QUIET


def _word(word: str) -> str:
    colour = COLOURS.get(word)
    return f"[{colour}]{word}[/{colour}]" if colour else word


def _why(outcome: Case, artifacts: Mapping[str, Artifacts]) -> str:
    kept = artifacts.get(outcome.artifacts)
    titles = list(dict.fromkeys(crash.title for crash in kept.crashes)) if kept else []
    return escape("\n".join([*titles, outcome.message]).strip())
