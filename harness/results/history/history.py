# SPDX-License-Identifier: Apache-2.0
"""The database of all runs: open it, add a run, load one."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, RowMapping, insert, or_, select
from sqlalchemy.exc import IntegrityError

from harness.base.errors import InputError
from harness.results import Case, Provenance, Run, run_from
from harness.results.history.database import connect, default_url, in_words
from harness.results.history.migrate import migrate
from harness.results.history.tables import OUTCOMES, RUNS

PROVENANCE = tuple(one.name for one in fields(Provenance))
"""The columns of RUNS that are Provenance's fields."""


@dataclass(frozen=True)
class History:
    """A database with the current schema; any number of processes may use it.

    It holds no connection, so there is nothing to close, and a forked process may go on with it.
    """

    engine: Engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for queries. Raises HostError if the database cannot be reached."""
        with in_words(self.engine.url), self.engine.begin() as connection:
            yield connection

    def add(self, run: Run, job: str = "") -> bool:
        """Add *run* in one transaction; False if it, or a run of *job*, is there already.

        Raises InputError if its *begin* is not a time, HostError if the database cannot be written.
        """
        rows = _row(run, job), [_outcome_row(run, number) for number in range(len(run.tests))]
        with in_words(self.engine.url):
            try:
                with self.engine.begin() as connection:
                    connection.execute(insert(RUNS), rows[0])
                    if rows[1]:
                        connection.execute(insert(OUTCOMES), rows[1])
            except IntegrityError:
                if self._is_there(run.id, job):
                    return False
                raise
        return True

    def run(self, run_id: str) -> Run | None:
        """The run with that id, None if there is none."""
        return self._load(RUNS.c.id == run_id)

    def run_of(self, job: str) -> Run | None:
        """The run that was added for *job*, None if there is none yet."""
        return self._load(RUNS.c.job == job)

    def _is_there(self, run_id: str, job: str) -> bool:
        same = or_(RUNS.c.id == run_id, RUNS.c.job == (job or None))
        with self.engine.begin() as connection:
            return connection.scalar(select(RUNS.c.id).where(same).limit(1)) is not None

    def _load(self, which: ColumnElement[bool]) -> Run | None:
        with self.read() as connection:
            row = connection.execute(select(RUNS).where(which)).one_or_none()
            if row is None:
                return None
            tests = select(OUTCOMES).where(OUTCOMES.c.run == row.id).order_by(OUTCOMES.c.position)
            return _run(row, connection.execute(tests).mappings().all())


def open_history(url: str | None = None) -> History:
    """Open the history at a SQLAlchemy *url*, by default in the cache; create it if needed.

    Raises InputError for an invalid URL or a newer schema, HostError for a database
    that cannot be reached.
    """
    engine = connect(url or default_url())
    with in_words(engine.url):
        migrate(engine)
    return History(engine)


def begin_text(moment: datetime) -> str:
    """A time in the format of a run's *begin*."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _row(run: Run, job: str) -> dict[str, Any]:
    try:
        begin = datetime.fromisoformat(run.begin)
    except ValueError as fault:
        raise InputError(
            f"run {run.id} began at '{run.begin}'; expected a time in ISO 8601, such as "
            "2026-11-25T18:30:00.000+00:00"
        ) from fault
    return {
        "id": run.id,
        "job": job or None,
        "begin": begin if begin.tzinfo else begin.replace(tzinfo=UTC),
        "seconds": run.seconds,
        "complete": run.complete,
        "words": run.words,
        "request": run.request,
        **asdict(run.provenance),
    }


def _outcome_row(run: Run, position: int) -> dict[str, Any]:
    return {"run": run.id, "position": position, **asdict(run.tests[position])}


def _run(row: Row[Any], tests: Sequence[RowMapping]) -> Run:
    names = [one.name for one in fields(Case)]
    content = {
        name: row._mapping[name] for name in ("id", "seconds", "complete", "words", "request")
    }
    content["begin"] = begin_text(row.begin)
    content["provenance"] = {name: row._mapping[name] for name in PROVENANCE}
    content["tests"] = [{name: test[name] for name in names} for test in tests]
    return run_from(content)
