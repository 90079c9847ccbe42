# SPDX-License-Identifier: Apache-2.0
"""A cache of a test's own, databases (SQLite and PostgreSQL), and an option for golden logs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres_server import Server, running_server

from harness.base.cache.lease import leases
from harness.results import Run
from harness.results.history import History, open_history


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what only these tests know."""
    parser.addoption(
        "--rewrite-logs",
        action="store_true",
        help="write what is found in tests/logs/ and tests/boards/ into their headers, for review",
    )


@pytest.fixture(autouse=True)
def ended_leases() -> Iterator[None]:
    """End the leases on the cache that a test takes."""
    with leases():
        yield


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of an empty cache of the test's own, which is not made yet."""
    directory = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(directory))
    return directory


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests of a process."""
    with running_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/history.sqlite"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def history(url: str) -> History:
    """An empty history."""
    return open_history(url)


@pytest.fixture
def filled(history: History) -> Callable[..., History]:
    """Call it with runs, and have a history of them."""

    def fill(*runs: Run) -> History:
        for one in runs:
            assert history.add(one)
        return history

    return fill
