# SPDX-License-Identifier: Apache-2.0
"""Query the database for runs, and for every result of a test."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy import Row, func, select

from harness.base.errors import InputError
from harness.results import Provenance
from harness.results.history.history import PROVENANCE, History, begin_text
from harness.results.history.tables import OUTCOMES, RUNS

SHOWN = 8
"""Names that an error lists."""


@dataclass(frozen=True)
class RunHead:
    """A run without its tests; *job* is empty if it was not run for one."""

    id: str
    job: str
    begin: str
    seconds: float
    complete: bool
    words: tuple[str, ...]
    provenance: Provenance


@dataclass(frozen=True)
class RunSummary:
    """A run, and how many of its tests ended with which result."""

    head: RunHead
    results: Mapping[str, int]


@dataclass(frozen=True)
class Appearance:
    """One result of a test in a run: its duration in seconds, and its artifacts."""

    head: RunHead
    result: str
    violated: tuple[str, ...]
    message: str
    seconds: float
    artifacts: str


def list_runs(history: History, last: int | None = None) -> list[RunSummary]:
    """The *last* runs, or all, the newest first."""
    runs = select(RUNS).order_by(RUNS.c.begin.desc(), RUNS.c.id).limit(last)
    with history.read() as connection:
        heads = [_head(row) for row in connection.execute(runs)]
        counts = (
            select(OUTCOMES.c.run, OUTCOMES.c.result, func.count())
            .where(OUTCOMES.c.run.in_(runs.with_only_columns(RUNS.c.id)))
            .group_by(OUTCOMES.c.run, OUTCOMES.c.result)
        )
        results: dict[str, Counter[str]] = {}
        for run, result, number in connection.execute(counts):
            results.setdefault(run, Counter())[result] = number
    return [RunSummary(head, dict(results.get(head.id, {}))) for head in heads]


def find_run(history: History, start: str) -> RunHead:
    """The run whose id begins with *start*; raises InputError if there is none, or several."""
    ids = select(RUNS).where(RUNS.c.id.startswith(start, autoescape=True)).limit(SHOWN)
    with history.read() as connection:
        found = [_head(row) for row in connection.execute(ids)]
    exact = [one for one in found if one.id == start]
    if not found:
        raise InputError(f"no run's id begins with '{start}'. 'harness history runs' lists them")
    if len(found) > 1 and not exact:
        names = ", ".join(one.id for one in found)
        raise InputError(f"several runs' ids begin with '{start}': {names}. Give more digits")
    return (exact or found)[0]


def list_tests(history: History) -> list[str]:
    """The node id of every test that was ever run, sorted."""
    with history.read() as connection:
        return sorted(connection.scalars(select(OUTCOMES.c.test).distinct()))


def find_test(history: History, words: str) -> str:
    """The node id that *words* names: all of it, a part that only one test has, or a glob.

    Raises InputError that lists the candidates.
    """
    tests = list_tests(history)
    if words in tests:
        return words
    found = [one for one in tests if words in one or fnmatchcase(one, words)]
    if len(found) == 1:
        return found[0]
    if not tests:
        raise InputError("the history is empty. 'harness history add FILE' adds a run")
    if not found:
        raise InputError(
            f"no test that was ever run has '{words}' in its name. 'harness history times' "
            "lists them all"
        )
    raise InputError(f"'{words}' matches {len(found)} tests: {_some(found)}. Give more of the name")


def appearances(history: History, test: str) -> list[Appearance]:
    """Every time that the test of node id *test* was run, the oldest first."""
    query = (
        select(RUNS, *(OUTCOMES.c[name].label(f"test_{name}") for name in _OF_TEST))
        .join(OUTCOMES, OUTCOMES.c.run == RUNS.c.id)
        .where(OUTCOMES.c.test == test)
        .order_by(RUNS.c.begin, RUNS.c.id, OUTCOMES.c.position)
    )
    with history.read() as connection:
        return [_appearance(row) for row in connection.execute(query)]


_OF_TEST = ("result", "violated", "message", "seconds", "artifacts")


def _appearance(row: Row[Any]) -> Appearance:
    return Appearance(
        _head(row),
        row.test_result,
        tuple(row.test_violated),
        row.test_message,
        row.test_seconds,
        row.test_artifacts,
    )


def _head(row: Row[Any]) -> RunHead:
    where = {name: row._mapping[name] for name in PROVENANCE}
    where["series"] = tuple(where["series"])
    return RunHead(
        id=row.id,
        job=row.job or "",
        begin=begin_text(row.begin),
        seconds=row.seconds,
        complete=row.complete,
        words=tuple(row.words),
        provenance=Provenance(**where),
    )


def _some(names: Sequence[str]) -> str:
    shown: Iterable[str] = names[:SHOWN]
    return ", ".join(shown) + (", ..." if len(names) > SHOWN else "")
