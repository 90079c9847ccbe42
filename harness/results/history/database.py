# SPDX-License-Identifier: Apache-2.0
"""Connections to SQLite and PostgreSQL that behave alike; database errors as HostError."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import Timeout
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from harness.base.disk import require_not_full
from harness.base.errors import HostError, InputError
from harness.base.paths import cache_directory

FILE = "history.sqlite"

FORMS = "sqlite:////absolute/path/of/a/file or postgresql+psycopg://user@host/database"

ALONE = "harness_alone"
"""The execution option of a connection whose transactions keep other writers out."""

MAGIC = b"SQLite format 3\0"
"""How every file of SQLite's begins (sqlite.org/fileformat.html, section 1.3)."""

PATIENCE = 60
"""Seconds that SQLite waits for another process that writes; each takes milliseconds."""


def default_url() -> str:
    """The database in the cache directory."""
    return f"sqlite:///{cache_directory() / FILE}"


def connect(url: str) -> Engine:
    """An engine for *url*, not connected yet. Raises InputError for an unsupported one.

    Each operation has its own connection, so that a server may restart and a process may fork.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as fault:
        raise InputError(f"'{url}' is not the URL of a database. Expected {FORMS}") from fault
    _check(parsed)
    try:
        engine = create_engine(parsed, poolclass=NullPool)
    except NoSuchModuleError as fault:
        raise InputError(f"'{parsed!r}' is not a database: {fault}. Expected {FORMS}") from fault
    except ModuleNotFoundError as fault:
        raise InputError(
            f"'{parsed!r}' needs the Python package '{fault.name}', which is not installed. "
            "Install it with: .venv/bin/pip install -e '.[postgres]'"
        ) from fault
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    return engine


def _check(url: URL) -> None:
    """Raise InputError for a URL that cannot work or is not tested."""
    kind = url.get_backend_name()
    if kind not in ("sqlite", "postgresql"):
        raise InputError(f"the history cannot be kept in '{url!r}'. Expected {FORMS}")
    if kind == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise InputError(
                f"'{url!r}' names no file: the history would be lost. Expected {FORMS}"
            )
        _check_file(Path(str(url.database)), url)


def _check_file(path: Path, url: URL) -> None:
    if not path.parent.is_dir():
        raise InputError(
            f"the directory of '{url!r}' does not exist: create it, or name another database"
        )
    for place in (path.parent, path):
        if place.exists() and not os.access(place, os.R_OK | os.W_OK):
            raise InputError(f"no permission to write {place}; name another database")
    if path.is_file():
        with path.open("rb") as file:
            begin = file.read(len(MAGIC))
        if begin not in (b"", MAGIC):  # one that was just made has nothing in it
            raise InputError(f"{path} is not an SQLite database. Name another, or move it away")


def _prepare(connection: sqlite3.Connection, _: Any) -> None:
    """Keep Python's sqlite3 from starting transactions itself: those leave out DDL."""
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout={PATIENCE * 1000}")
    connection.execute("PRAGMA foreign_keys=ON")


def _begin(connection: Connection) -> None:
    """Start a transaction; one that reads before it writes must be alone from its beginning."""
    alone = connection.get_execution_options().get(ALONE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if alone else "BEGIN")


@contextmanager
def in_words(url: URL) -> Iterator[None]:
    """Turn an error of the database into a HostError that says what to do."""
    try:
        yield
    except Timeout as fault:
        raise HostError(
            f"another process has held '{fault.lock_file}' for too long; find it with: "
            f"fuser {fault.lock_file}"
        ) from fault
    except (DBAPIError, sqlite3.Error, OSError) as fault:
        if url.database and url.get_backend_name() == "sqlite":
            require_not_full("the history", [Path(url.database).parent])
        said = " ".join(str(getattr(fault, "orig", fault)).split())
        raise HostError(
            f"the history in '{url!r}' cannot be used: {said}. If the file is damaged, move it "
            "away; if it is a server, check that it runs and accepts you; --database names another"
        ) from fault
