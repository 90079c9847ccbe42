# SPDX-License-Identifier: Apache-2.0
"""The answers of ``harness history`` as tables."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from rich.markup import escape
from rich.table import Column, Table

from harness.cli.tables import series_cell
from harness.results import Run
from harness.results.history import (
    Appearance,
    Duration,
    Flakiness,
    Regression,
    RunSummary,
    Standing,
)
from harness.results.history.queries import RunHead

SHORT = 8
"""Characters of a run's id in a table; enough to identify the run."""

ORDER = ("FAIL", "CRASH", "HANG", "ERROR", "PASS", "KNOWN", "SKIP")
"""The order in which results are listed."""


def standing_table(test: str, standings: Iterable[Standing]) -> Table:
    """One row per track: since when it fails, the last good run, how often it failed."""
    table = _table(
        "kernel, flavour, QEMU, series", "latest", "fails since", "last good", "bad", title=test
    )
    for one in standings:
        _row(
            table,
            str(one.track),
            f"{one.latest.result} {_run(one.latest.head)}",
            _time(one.first_bad, "does not fail"),
            _time(one.last_good, "never"),
            f"{one.bad} of {one.judged}",
        )
    return table


def regression_table(change: Regression) -> Table:
    """One row per field that differs."""
    over = ", and passes now" if change.over else ""
    title = f"{change.test}\n{change.track}: fails since {_run(change.bad)}{over}"
    good = f"last good: {_run(change.good)}" if change.good else "never good"
    if change.good and not change.same_track:
        good = f"good run of the most similar kernel: {_run(change.good)}"
    table = _table("differs", good, f"first bad: {_run(change.bad)}", title=title)
    for one in change.differences:
        _row(table, one.field, one.good, one.bad)
    if change.good and not change.differences:
        _row(table, "nothing", "the test may be flaky", "")
    return table


def flaky_table(found: Iterable[Flakiness]) -> Table:
    """One row per test and kernel: the number of each result."""
    table = _table("test", "odd", "results", "kernel", "harness", "QEMU")
    for one in found:
        kernel = f"{one.release} {one.kernel_key[:SHORT]}"
        share = f"{one.odd} of {one.times}"
        _row(table, one.test, share, _results(one.results), kernel, one.harness, one.qemu)
    return table


def times_table(found: Iterable[Duration]) -> Table:
    """One row per test: its durations in seconds."""
    numbers = (Column(name, justify="right") for name in ("runs", "median s", "least", "most"))
    table = Table("test", *numbers, Column("last", justify="right"))
    for one in found:
        seconds = (one.median, min(one.seconds), max(one.seconds), one.seconds[-1])
        cells = (f"{value:.2f}" for value in seconds)
        _row(table, one.test, str(len(one.seconds)), *cells)
    return table


def runs_table(found: Iterable[RunSummary]) -> Table:
    """One row per run."""
    table = _table("run", "began", "kernel", "flavour", "series", "results", "s", "job")
    for one in found:
        head, where = one.head, one.head.provenance
        results = _results(one.results) + ("" if head.complete else " (stopped early)")
        series = series_cell(where.series)
        seconds = f"{head.seconds:.0f}"
        kernel = f"{where.source} {where.kernel_key[:SHORT]}"
        begin = _moment(head.begin)
        cells = (begin, kernel, where.flavour, series, results, seconds, head.job)
        _row(table, head.id[:SHORT], *cells)
    return table


def run_tables(run: Run) -> tuple[Table, ...]:
    """The provenance of a run, and its tests."""
    facts = _table("run", run.id)
    for name, value in asdict(run.provenance).items():
        text = "\n".join(value) if isinstance(value, tuple | list) else value
        _row(facts, name.replace("_", " "), text)
    _row(facts, "words", " ".join(run.words))
    _row(facts, "began", f"{_moment(run.begin)} UTC")
    _row(facts, "took", f"{run.seconds:.0f} s" + ("" if run.complete else ", stopped early"))
    tests = _table("test", "result", "violated", "s", "message", "artifacts")
    for one in run.tests:
        cells = (" ".join(one.violated), f"{one.seconds:.2f}", one.message, one.artifacts)
        _row(tests, one.test, one.result, *cells)
    return facts, tests


def _table(*columns: str, title: str = "") -> Table:
    heads = (Column(escape(name), overflow="fold") for name in columns)
    return Table(*heads, title=escape(title) or None, title_justify="left")


def _row(table: Table, *cells: str) -> None:
    """Add a row; brackets in a cell are not markup."""
    table.add_row(*(escape(cell) for cell in cells))


def _results(results: Mapping[str, int]) -> str:
    known = [name for name in ORDER if name in results]
    return " ".join(f"{name} {results[name]}" for name in (*known, *sorted({*results} - {*ORDER})))


def _time(one: Appearance | None, otherwise: str) -> str:
    if one is None:
        return otherwise
    return f"{_run(one.head)}\n{one.head.provenance.release}"


def _run(head: RunHead) -> str:
    return f"{_moment(head.begin)} (run {head.id[:SHORT]})"


def _moment(begin: str) -> str:
    """A run's begin in UTC, without seconds."""
    return begin[:16].replace("T", " ")
