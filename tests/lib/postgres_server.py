# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL server of the distribution's, for as long as a test wants it, on a socket."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import IO

from sqlalchemy import create_engine

USER = "postgres"
"""Who runs the server if we are root, whom it refuses; Debian's package makes this user."""

READY = "database system is ready to accept connections"

START_TIMEOUT = 60.0
"""Seconds; it takes about one."""

SETTINGS = ("listen_addresses=", "fsync=off", "max_connections=50")


@dataclass(frozen=True)
class Server:
    """A server that listens in *folder* only, and lets everybody in who finds it."""

    folder: Path
    numbers: Iterator[int] = field(default_factory=count)

    def new_database(self) -> str:
        """The URL of an empty database that nobody else has."""
        name = f"history{next(self.numbers)}"
        engine = create_engine(self._url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        engine.dispose()
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql+psycopg://{USER}@/{database}?host={self.folder}"


@contextmanager
def running_server() -> Iterator[Server]:
    """Make a cluster in a temporary directory, start it, and leave nothing of it."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, USER, USER)
        data = folder / "data"
        words = ("-D", data, "-U", USER, "--auth=trust", "--no-locale", "-E", "UTF8", "--no-sync")
        _as_user(programs / "initdb", *words).communicate(timeout=START_TIMEOUT)
        settings = [
            word for one in (*SETTINGS, f"unix_socket_directories={folder}") for word in ("-c", one)
        ]
        server = _as_user(programs / "postgres", "-D", data, *settings)
        try:
            reader = _await_ready(server)
            yield Server(folder)
        finally:
            server.send_signal(signal.SIGQUIT)  # at once, its children too
            server.wait(timeout=START_TIMEOUT)
        reader.join(START_TIMEOUT)
    finally:
        shutil.rmtree(folder)


def _programs() -> Path:
    """Where Debian has the newest server; it is in nobody's PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    assert found, "no PostgreSQL server here: sudo apt-get install postgresql, or scripts/test"
    return found[-1].parent


def _as_user(program: Path, *words: str | Path) -> "subprocess.Popen[str]":
    """Start *program*, which dies with us, as somebody who is not root."""
    other = ("--reuid", USER, "--regid", USER, "--clear-groups") if os.geteuid() == 0 else ()
    return subprocess.Popen(
        ["setpriv", *other, "--pdeathsig", "QUIT", "--", program, *words],
        cwd="/",
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _await_ready(server: "subprocess.Popen[str]") -> threading.Thread:
    """Wait for the server's word that it listens; the thread that reads on ends with it."""
    said: list[str] = []
    ready = threading.Event()

    def read(log: IO[str]) -> None:
        with log:
            for line in log:
                said.append(line)
                if READY in line:
                    ready.set()
        ready.set()

    assert server.stderr is not None
    reader = threading.Thread(target=read, args=(server.stderr,), daemon=True)
    reader.start()
    assert ready.wait(START_TIMEOUT), f"PostgreSQL did not say '{READY}': {''.join(said)}"
    assert any(READY in line for line in said), f"PostgreSQL ended: {''.join(said)}"
    return reader
