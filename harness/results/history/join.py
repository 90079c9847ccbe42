# SPDX-License-Identifier: Apache-2.0
"""Files of runs that are not in the history yet: their sessions were killed.

::

    runs/ID.jsonl       in the cache directory; locked while its session goes on
    runs/ID.damaged     one that could not be read
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from harness.base.paths import cache_directory
from harness.base.progress import say
from harness.results.file import SUFFIX, load_run
from harness.results.history.history import History, open_history


def run_path(run_id: str) -> Path:
    """The file of the run of that id, unless ``--run-file`` names another."""
    folder = cache_directory() / "runs"
    folder.mkdir(exist_ok=True)
    return folder / f"{run_id}{SUFFIX}"


def joined_history(url: str | None = None) -> History:
    """The history at *url*; the default one in the cache directory, with all killed runs."""
    history = open_history(url)
    if url is None:
        join_runs(history)
    return history


def join_runs(history: History) -> list[str]:
    """Add the runs of killed sessions to *history*; return their ids.

    A run without a finished test is dropped. Raises HostError if the history cannot be written;
    the files stay then.
    """
    found = []
    for path in sorted(run_path("x").parent.glob(f"*{SUFFIX}")):
        with _abandoned(path) as mine:
            if mine and (run_id := _join(history, path)):
                found.append(run_id)
    return found


def _join(history: History, path: Path) -> str:
    try:
        run = load_run(path)
    except ValueError as fault:
        if path.stat().st_size:
            damaged = path.with_suffix(".damaged")
            path.rename(damaged)
            say(f"cannot read the run of a killed session, kept as {damaged}: {fault}")
        else:
            path.unlink()
        return ""
    if run.tests:
        history.add(run)
    path.unlink()
    return run.id if run.tests else ""


@contextlib.contextmanager
def _abandoned(path: Path) -> Iterator[bool]:
    """Whether the session that wrote *path* is gone; locks the file during the block."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield path.exists()
    except (BlockingIOError, FileNotFoundError):
        yield False
