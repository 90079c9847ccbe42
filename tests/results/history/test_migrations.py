# SPDX-License-Identifier: Apache-2.0
"""Older databases become as the newest, with what is in them."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from history_scene import run_on
from sqlalchemy import Connection, MetaData, insert, text

from harness.base.errors import InputError
from harness.results import Case, Run
from harness.results.history import History, open_history
from harness.results.history.database import connect
from harness.results.history.migrate import MIGRATIONS, upgrade
from harness.results.history.tables import METADATA, SCHEMA

SCHEMAS = [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]


def test_the_newest_migration_is_the_schema_that_the_harness_knows() -> None:
    assert SCHEMAS[-1] == SCHEMA


def test_the_numbers_of_migrations_are_in_their_order() -> None:
    assert sorted(SCHEMAS) == SCHEMAS


def test_all_migrations_together_make_the_tables_that_the_harness_uses(history: History) -> None:
    with history.engine.connect() as connection:
        context = MigrationContext.configure(connection)

        assert compare_metadata(context, METADATA) == []


def test_a_run_of_the_first_schema_is_there_in_the_newest(url: str) -> None:
    run = run_on(1, "FAIL", series=("a.patch",))
    with connect(url).begin() as connection:
        upgrade(connection, "0001")
        _put_in_first(connection, run)

    history = open_history(url)

    assert history.run(run.id) == run
    assert not history.add(run, "job")


def test_a_database_of_a_newer_harness_is_left_alone(history: History, url: str) -> None:
    with history.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(InputError, match=r"has schema 9999.*--database"):
        open_history(url)


def _put_in_first(connection: Connection, run: Run) -> None:
    """Add *run* to a database that knows nothing of jobs."""
    tables = MetaData()
    tables.reflect(connection)
    where = asdict(run.provenance)
    row = {"begin": datetime.fromisoformat(run.begin), "words": list(run.words)}
    rest = {"id": run.id, "seconds": run.seconds, "complete": run.complete}
    connection.execute(insert(tables.tables["runs"]), {**row, **rest, **where})
    tests = [{"run": run.id, "position": n, **_in_first(one)} for n, one in enumerate(run.tests)]
    connection.execute(insert(tables.tables["outcomes"]), tests)


def _in_first(outcome: Case) -> dict[str, Any]:
    """The columns of a test, by the names that they had in the first schema."""
    earlier = {"violated": "broken", "properties": "promises", "artifacts": "evidence"}
    later = ("violations", "notices")
    columns = asdict(outcome)
    return {earlier.get(name, name): columns[name] for name in columns if name not in later}
