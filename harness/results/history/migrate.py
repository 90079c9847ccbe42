# SPDX-License-Identifier: Apache-2.0
"""Bring a database's tables to the newest schema, one process at a time, whole or not at all.

A migration is one transaction, which both databases undo if the process dies in it. In SQLite
a lock file lets one process in; in PostgreSQL a lock does that ends with the transaction.
"""

from pathlib import Path

from filelock import FileLock
from sqlalchemy import Connection, Engine, column, inspect, select, table, text

from harness.base.errors import InputError
from harness.results.history.database import ALONE
from harness.results.history.tables import SCHEMA

MIGRATIONS = Path(__file__).with_name("migrations")

VERSIONS = "alembic_version"
"""Where Alembic notes the schema of a database."""

LOCK = 0x52444D41
"""PostgreSQL's name of the lock: any number that nobody else takes ("RDMA")."""

PATIENCE = 120.0
"""Seconds to wait for another process that is at it; it takes less than one."""


def migrate(engine: Engine) -> None:
    """Make or change the tables if need be; InputError if they are newer than this harness."""
    if engine.dialect.name == "sqlite":
        with FileLock(f"{engine.url.database}.lock", timeout=PATIENCE):
            _write_ahead(engine)
            _migrate(engine)
    else:
        _migrate(engine)


def _write_ahead(engine: Engine) -> None:
    """Have readers and a writer not wait for each other. Takes a file that nobody else reads."""
    with engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA journal_mode=WAL")


def _migrate(engine: Engine) -> None:
    with engine.connect() as connection:
        if _is_newest(connection):
            return
    with engine.connect().execution_options(**{ALONE: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        upgrade(connection)


def upgrade(connection: Connection, schema: str = SCHEMA) -> None:
    """Run what is missing up to *schema* inside the transaction of *connection*."""
    if _is_newest(connection):
        return
    from alembic import command  # noqa: PLC0415 - takes long, and is needed once a database
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS))
    command.upgrade(config, schema)


def schema_of(connection: Connection) -> str | None:
    """The number of the newest migration that a database has seen; None for an empty one."""
    if not inspect(connection).has_table(VERSIONS):
        return None
    found: str | None = connection.scalar(
        select(column("version_num")).select_from(table(VERSIONS))
    )
    return found


def _is_newest(connection: Connection) -> bool:
    found = schema_of(connection)
    if found is not None and found > SCHEMA:
        raise InputError(
            f"the history in {connection.engine.url!r} has schema {found}, and this harness knows "
            f"those up to {SCHEMA}: a newer harness has written to it. Use that one, or name "
            "another database with --database"
        )
    return found == SCHEMA
