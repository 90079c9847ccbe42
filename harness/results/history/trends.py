# SPDX-License-Identifier: Apache-2.0
"""How flaky tests are, and how long they and whole runs take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from sqlalchemy import ColumnElement, and_, func, or_, select

from harness.results.history.history import History
from harness.results.history.tables import OUTCOMES, RUNS

LAST = 20
"""Number of last runs that a duration is computed from."""

SAME = (RUNS.c.kernel_key, RUNS.c.harness, RUNS.c.qemu)
"""What must be the same in two runs for their results to be the same."""


@dataclass(frozen=True)
class Flakiness:
    """A test with different results for one kernel, harness and QEMU; the number of each."""

    test: str
    kernel_key: str
    release: str
    harness: str
    qemu: str
    results: Mapping[str, int]

    @property
    def times(self) -> int:
        """Number of runs."""
        return sum(self.results.values())

    @property
    def odd(self) -> int:
        """Number of runs without the most frequent result."""
        return self.times - max(self.results.values())


@dataclass(frozen=True)
class Duration:
    """Durations of a test in its last runs, in seconds, the oldest first."""

    test: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The median, in seconds."""
        return median(self.seconds)


def flaky(history: History, test: str = "") -> list[Flakiness]:
    """The tests, or *test*, whose results differ for one kernel, harness and QEMU; worst first.

    SKIP and runs of a harness with uncommitted changes do not count.
    """
    counted = [OUTCOMES.c.result != "SKIP", *_known_code(), *_only(test)]
    mixed = (
        select(OUTCOMES.c.test, *SAME)
        .join(RUNS, RUNS.c.id == OUTCOMES.c.run)
        .where(*counted)
        .group_by(OUTCOMES.c.test, *SAME)
        .having(func.count(OUTCOMES.c.result.distinct()) > 1)
        .subquery()
    )
    same = and_(mixed.c.test == OUTCOMES.c.test, *(mixed.c[one.name] == one for one in SAME))
    wanted = (OUTCOMES.c.test, RUNS.c.kernel_key, RUNS.c.release, RUNS.c.harness, RUNS.c.qemu)
    query = (
        select(*wanted, OUTCOMES.c.result, func.count())
        .select_from(OUTCOMES)
        .join(RUNS, RUNS.c.id == OUTCOMES.c.run)
        .join(mixed, same)
        .where(*counted)
        .group_by(*wanted, OUTCOMES.c.result)
    )
    results: dict[tuple[str, str, str, str, str], dict[str, int]] = {}
    with history.read() as connection:
        for *key, result, number in connection.execute(query):
            of_test, kernel_key, release, harness, qemu = key
            results.setdefault((of_test, kernel_key, release, harness, qemu), {})[result] = number
    found = [Flakiness(*key, counts) for key, counts in results.items()]
    return sorted(found, key=lambda one: (-one.odd / one.times, one.test, one.kernel_key))


def not_counted(history: History) -> int:
    """How many runs :func:`flaky` leaves out for their harness."""
    query = select(func.count()).select_from(RUNS).where(or_(*_unknown_code()))
    with history.read() as connection:
        return connection.scalar(query) or 0


def durations(history: History, test: str = "", last: int = LAST) -> list[Duration]:
    """Durations of every test, or of *test*, in its *last* finished runs; longest first."""
    newest = func.row_number().over(
        partition_by=OUTCOMES.c.test, order_by=(RUNS.c.begin.desc(), RUNS.c.id)
    )
    numbered = (
        select(OUTCOMES.c.test, OUTCOMES.c.seconds, newest.label("age"))
        .join(RUNS, RUNS.c.id == OUTCOMES.c.run)
        .where(OUTCOMES.c.result.not_in(("SKIP", "ERROR")), *_only(test))
        .subquery()
    )
    query = select(numbered).where(numbered.c.age <= last).order_by(numbered.c.age.desc())
    seconds: dict[str, list[float]] = {}
    with history.read() as connection:
        for row in connection.execute(query):
            seconds.setdefault(row.test, []).append(row.seconds)
    found = [Duration(name, tuple(values)) for name, values in seconds.items()]
    return sorted(found, key=lambda one: (-one.median, one.test))


def run_seconds(history: History, words: Sequence[str], flavour: str = "") -> float | None:
    """Median duration in seconds of the last complete runs with these *words* and *flavour*.

    *words* are those of a Run. None if there is no such run.
    """
    query = (
        select(RUNS.c.words, RUNS.c.seconds)
        .where(RUNS.c.complete, RUNS.c.flavour == flavour)
        .order_by(RUNS.c.begin.desc())
    )
    with history.read() as connection:
        rows = connection.execute(query).all()
    fitting = [row.seconds for row in rows if tuple(row.words) == tuple(words)]
    return median(fitting[:LAST]) if fitting else None


def _only(test: str) -> list[ColumnElement[bool]]:
    return [OUTCOMES.c.test == test] if test else []


def _known_code() -> list[ColumnElement[bool]]:
    return [~one for one in _unknown_code()]


def _unknown_code() -> list[ColumnElement[bool]]:
    """Conditions for a harness with uncommitted changes, or without git."""
    return [RUNS.c.harness.endswith("-dirty"), RUNS.c.harness == "unknown"]
