# SPDX-License-Identifier: Apache-2.0
"""Migrate a database to the newest schema, one process at a time, in one transaction.

Both databases roll a migration back if the process dies. A lock file serialises processes for
SQLite, an advisory lock that ends with the transaction for PostgreSQL.
"""

from pathlib import Path

from filelock import FileLock
from sqlalchemy import Connection, Engine, column, inspect, select, table, text

from harness.base.errors import InputError
from harness.results.history.database import ALONE
from harness.results.history.tables import SCHEMA

MIGRATIONS = Path(__file__).with_name("migrations")

VERSIONS = "alembic_version"
"""The table in which Alembic keeps the schema of a database."""

LOCK = 0x52444D41
"""PostgreSQL's key of the advisory lock: any unused number ("RDMA")."""

PATIENCE = 120.0
"""Seconds to wait for another process that migrates; that takes less than one."""


def migrate(engine: Engine) -> None:
    """Create or migrate the tables if needed. Raises InputError if the schema is newer."""
    if engine.dialect.name == "sqlite":
        with FileLock(f"{engine.url.database}.lock", timeout=PATIENCE):
            _write_ahead(engine)
            _migrate(engine)
    else:
        _migrate(engine)


def _write_ahead(engine: Engine) -> None:
    """Switch to write-ahead logging: readers and a writer do not wait. Needs exclusive access."""
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
    """Run the missing migrations up to *schema* in the transaction of *connection*."""
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
            f"the history in {connection.engine.url!r} has schema {found}, and this harness "
            f"supports up to {SCHEMA}: a newer harness has written to it. Use that one, or name "
            "another database with --database"
        )
    return found == SCHEMA
