# SPDX-License-Identifier: Apache-2.0
"""The tables, as the newest migration leaves them (migrations/versions/)."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

SCHEMA = "0004"
"""The newest migration."""

METADATA = MetaData()


class Moment(TypeDecorator[datetime]):
    """A time; stored in UTC where the database has no time zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: without a zone for SQLite, which does not store it."""
        if value is None:
            return None
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text from anywhere: characters that PostgreSQL cannot store are replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - the base class has it
        """To the database: no NUL, and no half of a surrogate pair."""
        if value is None:
            return None
        return value.replace("\0", "\ufffd").encode(errors="replace").decode()


RUNS = Table(
    "runs",
    METADATA,
    Column("id", Words, primary_key=True),
    Column("job", Words),
    Column("begin", Moment, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("words", JSON, nullable=False),
    Column("request", JSON, nullable=False),
    Column("kernel_key", Words, nullable=False),
    Column("release", Words, nullable=False),
    Column("build_id", Words, nullable=False),
    Column("source", Words, nullable=False),
    Column("series", JSON, nullable=False),
    Column("config", Words, nullable=False),
    Column("compiler", Words, nullable=False),
    Column("flavour", Words, nullable=False),
    Column("qemu", Words, nullable=False),
    Column("harness", Words, nullable=False),
    Column("host", Words, nullable=False),
    Index("runs_by_begin", "begin"),
    Index("runs_by_job", "job", unique=True),
)
"""One row per run; *job* is NULL, or the key of the nightly job it was run for.

The other columns are the fields of Run and Provenance.
"""

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("run", Words, ForeignKey("runs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("test", Words, nullable=False),
    Column("result", Words, nullable=False),
    Column("violated", JSON, nullable=False),
    Column("message", Words, nullable=False),
    Column("properties", JSON, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("artifacts", Words, nullable=False),
    Column("violations", JSON, nullable=False),
    Column("notices", JSON, nullable=False),
    Index("outcomes_by_test", "test"),
)
"""One row per test of a run, at its *position* in the run. The columns are Case's."""
