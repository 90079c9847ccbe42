# SPDX-License-Identifier: Apache-2.0
"""One self-contained page of HTML: no network, no other file, scripts for filters only."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.base.kreport import KnownReport, known_report
from harness.base.properties import NOT_GUARANTEED, PROPERTIES, in_order
from harness.base.result import worst
from harness.results import Case, Run
from harness.results.judge import Change, Comparison, judged
from harness.results.render.artifacts import LINE_LIMIT, LOG_LIMIT, Artifacts, Log
from harness.results.render.picture import picture
from harness.results.render.plain_text import (
    COSTS,
    block,
    counts,
    findings_gone,
    notices,
    short_name,
    telling,
)
from harness.results.render.provenance import provenance_items
from harness.results.render.spark import spark
from harness.results.render.summary import headline

TEMPLATE = "page.html.j2"

PAGE_LIMIT = 24 * 1024 * 1024
"""Bytes of artifacts in one page; later tests only name their directory."""


BESIDES = {"FENCE": "what a fence is for: no device reaches more than its windows"}
"""Property ids that are about the harness's own fences, not about Linux."""


@dataclass(frozen=True)
class Row:
    """A test as the page shows it.

    *state* is a change or a result, *artifacts* has what it is of before each: which kernel.
    """

    number: int
    test: str
    state: str
    base: tuple[Case, ...]
    patched: tuple[Case, ...]
    artifacts: tuple[tuple[str, Artifacts], ...] = ()
    reports: tuple[str, ...] = ()
    left_out: bool = False
    seconds: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The test without the folders of its file."""
        return short_name(self.test)

    @property
    def told(self) -> Case:
        """The case whose text is shown."""
        return telling(self.patched or self.base)

    @property
    def words(self) -> str:
        """The text that a filter searches."""
        return " ".join((self.test, block(self.told), *self.reports))

    @property
    def properties(self) -> tuple[str, ...]:
        """All properties that it tests or violates."""
        every = {n for one in (*self.base, *self.patched) for n in (*one.properties, *one.violated)}
        return in_order(every)

    @property
    def look(self) -> str:
        """The state as a CSS class."""
        return self.state.lower().replace(" ", "-")


@dataclass(frozen=True)
class Title:
    """The title of a kernel report, the tests with it in their artifacts, and its known cause."""

    title: str
    tests: tuple[Row, ...]
    known: KnownReport | None


@dataclass(frozen=True)
class Property:
    """A property, and the worst results of its tests."""

    number: str
    text: str
    tests: int
    base: str
    patched: str


@dataclass(frozen=True)
class Inputs:
    """Input for a page besides the runs.

    *artifacts* is by its directory, *durations* are seconds of the last runs by test, the newest
    last; *coverage* is what a run of `harness coverage` said, line by line.
    """

    artifacts: Mapping[str, Artifacts] = field(default_factory=dict)
    durations: Mapping[str, Sequence[float]] = field(default_factory=dict)
    coverage: Sequence[str] = ()


def page(subject: Run | Comparison, inputs: Inputs | None = None) -> str:
    """The page for a run, or for two that are compared."""
    given = inputs or Inputs()
    rows = list(_within_limit(_rows(subject, given)))
    compared = isinstance(subject, Comparison)
    runs = [subject.base, subject.patched] if isinstance(subject, Comparison) else [subject]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        compared=compared,
        runs=runs,
        verdict=judged(subject).value.replace(" ", "-"),
        headline=headline(subject),
        counts=_state_counts(rows) if compared else counts(runs[-1].tests),
        rows=rows,
        notices=notices(runs[-1]),
        gone=findings_gone(subject) if isinstance(subject, Comparison) else "",
        titles=_titles(rows),
        properties=list(_properties(rows)),
        provenance=_provenance(runs),
        costs=subject.costs if isinstance(subject, Comparison) else (),
        cost_title=COSTS,
        coverage=[*given.coverage, *(subject.coverage if isinstance(subject, Comparison) else ())],
        picture=lambda one: Markup(picture(one.parts, one.accesses)),
        breakable=_breakable,
        spark=lambda seconds: Markup(spark(seconds)),
        log_limit=LOG_LIMIT // 1024,
        blocks=_blocks,
        cut=lambda line: line if len(line) <= LINE_LIMIT else f"{line[:LINE_LIMIT]} [cut]",
    )


_Ends = tuple[str, str, tuple[Case, ...], tuple[Case, ...]]


def _ends(subject: Run | Comparison) -> list[_Ends]:
    """Every test, its state, and its cases before and after; failures first."""
    if isinstance(subject, Run):
        order = {"KNOWN": 1, "PASS": 2, "SKIP": 3}
        tests = sorted(subject.tests, key=lambda one: order.get(one.result, 0))
        return [(one.test, one.result, (), (one,)) for one in tests]
    ranks = {change: rank for rank, change in enumerate(Change)}
    found = sorted(subject.differences, key=lambda one: ranks[one.change])
    return [(d.test, d.change.value, d.base, d.patched) for d in found]


def _rows(subject: Run | Comparison, given: Inputs) -> Iterator[Row]:
    for number, (test, state, base, patched) in enumerate(_ends(subject)):
        artifacts = tuple(_artifacts(base, patched, given.artifacts))
        titles = dict.fromkeys(title for _, one in artifacts for title in one.titles)
        seconds = tuple(given.durations.get(test, ()))
        yield Row(number, test, state, base, patched, artifacts, tuple(titles), seconds=seconds)


def _artifacts(
    base: Sequence[Case], patched: Sequence[Case], kept: Mapping[str, Artifacts]
) -> Iterator[tuple[str, Artifacts]]:
    for side, outcomes in (("base", base), ("series", patched)):
        for one in outcomes:
            if one.artifacts in kept:
                yield f"{side}: {one.result}" if base else one.result, kept[one.artifacts]


def _within_limit(rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; artifacts beyond PAGE_LIMIT are left out with a note."""
    left = PAGE_LIMIT
    for row in rows:
        size = sum(
            min(sum(map(len, log.lines)), LOG_LIMIT) for _, one in row.artifacts for log in one.logs
        )
        left -= size
        if left >= 0 or not size:
            yield row
        else:
            yield Row(row.number, row.test, row.state, row.base, row.patched, left_out=True)


def _state_counts(rows: Sequence[Row]) -> Mapping[str, int]:
    return Counter(row.state for row in rows)


def _titles(rows: Sequence[Row]) -> list[Title]:
    by_title: dict[str, list[Row]] = {}
    for row in rows:
        for title in row.reports:
            by_title.setdefault(title, []).append(row)
    return [Title(title, tuple(some), known_report(title)) for title, some in by_title.items()]


def _properties(rows: Sequence[Row]) -> Iterator[Property]:
    """All properties that a test of the page tests, in order."""
    texts = {**PROPERTIES, **NOT_GUARANTEED, **BESIDES}
    about: dict[str, list[Row]] = {}
    for row in rows:
        for number in row.properties:
            about.setdefault(number, []).append(row)
    for number in in_order(about):
        base = worst(one.result for row in about[number] for one in row.base) or ""
        patched = worst(one.result for row in about[number] for one in row.patched) or ""
        yield Property(number, texts.get(number, ""), len(about[number]), base, patched)


def _provenance(runs: Sequence[Run]) -> list[tuple[str, tuple[str, ...]]]:
    """Name and value in each of the runs."""
    sides = []
    for run in runs:
        values: dict[str, str] = {}
        for name, value in provenance_items(run.provenance):
            values[name] = f"{values[name]}, {value}" if name in values else value
        values.update(begin=run.begin, seconds=f"{run.seconds:.0f}", words=" ".join(run.words))
        sides.append(values)
    names = dict.fromkeys(name for side in reversed(sides) for name in side)
    return [(name, tuple(side.get(name, "") for side in sides)) for name in names]


def _breakable(name: str) -> Markup:
    """A long *name* that may be broken where its words end."""
    return Markup("_<wbr>").join(name.split("_"))  # which escapes the words


@dataclass(frozen=True)
class Block:
    """Consecutive lines of a log: one kernel report (*title*), or lines between reports.

    *skipped* is the number of lines left out before them.
    """

    lines: tuple[str, ...]
    title: str = ""
    skipped: int = 0


def _blocks(log: Log) -> Iterator[Block]:
    """The blocks of a log in order; a last one without lines counts those left out at the end."""
    before = 0
    for span in log.kept():
        skipped, title = span.start - before, ""
        lines: list[str] = []
        for index in span:
            report = log.report_at(index)
            now = report.title if report else ""
            if lines and now != title:
                yield Block(tuple(lines), title, skipped)
                lines, skipped = [], 0
            title = now
            lines.append(log.lines[index])
        yield Block(tuple(lines), title, skipped)
        before = span.stop
    if before < len(log.lines):
        yield Block((), "", len(log.lines) - before)
