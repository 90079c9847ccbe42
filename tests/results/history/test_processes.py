# SPDX-License-Identifier: Apache-2.0
"""Several processes with one history, some of which are killed."""

import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock
from history_scene import run_on
from python_process import start_python

from harness.results.history import list_runs, open_history

TESTS = Path(__file__).parents[2] / "lib"

TIMEOUT = 120.0
"""Seconds for a process to start and add its runs; it takes two."""

Adder = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(url: str) -> Iterator[Adder]:
    """Have a process that is about to add runs up to END; it is gone when the test is."""
    with ExitStack() as stack:

        def start(first: int, end: int, last_words: str = "") -> "subprocess.Popen[str]":
            words = (url, str(first), str(end), "job", last_words)
            process = start_python([TESTS / "history_adder.py", *words])
            stack.enter_context(process)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            return process

        yield start


def let_go(*processes: "subprocess.Popen[str]") -> None:
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()


def lines(process: "subprocess.Popen[str]") -> list[str]:
    out, _ = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0
    return out.splitlines()


def test_processes_that_open_a_new_database_at_once_all_keep_their_runs(
    url: str, start: Adder
) -> None:
    processes = [start(one, one + 5) for one in (1, 6, 11)]

    let_go(*processes)

    assert [len(lines(one)) for one in processes] == [5, 5, 5]
    assert len(list_runs(open_history(url))) == 15


def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "history.sqlite"
    maker = sqlite3.connect(file, isolation_level=None)
    with ThreadPoolExecutor() as pool:
        with FileLock(f"{file}.lock"):
            maker.execute("BEGIN IMMEDIATE")  # who switches to WAL now is not made to wait
            opened = pool.submit(open_history, f"sqlite:///{file}")
            wait([opened], timeout=1)  # ends at once if it does not wait
            maker.execute("COMMIT")
            maker.close()

        assert list_runs(opened.result(TIMEOUT)) == []


def test_of_processes_that_add_the_same_runs_one_is_told_that_they_are_new(
    url: str, start: Adder
) -> None:
    processes = [start(1, 20) for _ in range(2)]

    let_go(*processes)
    told = [line for one in processes for line in lines(one)]

    assert sorted(line for line in told if "True" in line) == sorted(
        f"{n} True" for n in range(1, 20)
    )
    assert len(list_runs(open_history(url))) == 19


def test_whatever_was_said_to_be_kept_is_there_after_the_process_was_killed(
    url: str, start: Adder
) -> None:
    process = start(1, 28)
    let_go(process)
    said = [process.stdout.readline() for _ in range(3)]
    process.kill()
    process.wait(TIMEOUT)

    found = {one.head.id: one.results for one in list_runs(open_history(url))}

    assert said == ["1 True\n", "2 True\n", "3 True\n"]
    assert {run_on(number).id for number in (1, 2, 3)} <= set(found)
    assert set(map(str, found.values())) == {"{'PASS': 2}"}


def test_a_killed_process_is_started_again_and_nothing_is_there_twice(
    url: str, start: Adder
) -> None:
    first = start(1, 28)
    let_go(first)
    first.stdout.readline()
    first.kill()
    first.wait(TIMEOUT)

    again = start(1, 28)
    let_go(again)

    assert len(lines(again)) == 27
    assert len(list_runs(open_history(url))) == 27


@pytest.mark.parametrize(
    "last_words",
    [
        "CREATE TABLE runs",
        "CREATE TABLE outcomes",
        "UPDATE alembic_version",
        "ALTER TABLE runs",
        "INSERT INTO runs",
        "INSERT INTO outcomes",
    ],
)
def test_a_process_that_dies_at_a_statement_leaves_nothing_half_done(
    url: str, start: Adder, last_words: str
) -> None:
    dead = start(1, 2, last_words)
    let_go(dead)
    assert dead.wait(TIMEOUT) == -signal.SIGKILL

    assert list_runs(open_history(url)) == []
    assert open_history(url).add(run_on(1), "job1")
