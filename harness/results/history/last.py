# SPDX-License-Identifier: Apache-2.0
"""The last result of every test on a kernel without a series."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Text, cast, func, select

from harness.base.result import Result
from harness.results.history.history import History, begin_text
from harness.results.history.tables import OUTCOMES, RUNS

NO_SERIES = "[]"
"""An empty list, as the database stores it."""


@dataclass(frozen=True)
class LastResult:
    """How a test ended the last time it ran, on which kernel release; *when* is a run's begin."""

    result: Result
    release: str
    when: str


def last_results(history: History) -> Mapping[str, LastResult]:
    """The last result of each test by its node id; runs with a series do not count.

    They show what the series does, not the kernel itself.
    """
    newest = func.row_number().over(
        partition_by=OUTCOMES.c.test,
        order_by=(RUNS.c.begin.desc(), RUNS.c.id, OUTCOMES.c.position.desc()),
    )
    wanted = (OUTCOMES.c.test, OUTCOMES.c.result, RUNS.c.release, RUNS.c.begin)
    numbered = (
        select(*wanted, newest.label("age"))
        .join(RUNS, RUNS.c.id == OUTCOMES.c.run)
        .where(cast(RUNS.c.series, Text) == NO_SERIES)
        .subquery()
    )
    with history.read() as connection:
        rows = connection.execute(select(numbered).where(numbered.c.age == 1)).all()
    return {
        row.test: LastResult(Result(row.result), row.release, begin_text(row.begin)) for row in rows
    }
