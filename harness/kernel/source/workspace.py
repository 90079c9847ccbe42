# SPDX-License-Identifier: Apache-2.0
"""Workspaces: one private source tree per kernel source, one build directory per configuration."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.base.cache.evict import added
from harness.base.paths import cache_directory
from harness.base.progress import say
from harness.kernel.source.tree import SourceTree


@dataclass(frozen=True)
class Workspace:
    """A locked workspace; *lock* is the descriptor that holds the lock."""

    directory: Path
    lock: int

    @property
    def tree(self) -> SourceTree:
        """The source tree."""
        return SourceTree(self.directory)

    @contextmanager
    def build(self, name: str) -> Iterator[Path]:
        """Return the build directory *name*, emptied first if a run was killed in it.

        A killed compiler may leave half an object file that looks new to make.
        """
        directory = self.directory / f"build-{name}"
        busy = self.directory / f"build-{name}.busy"
        if busy.exists():
            shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(exist_ok=True)
        busy.touch()
        try:
            yield directory
        finally:
            busy.unlink(missing_ok=True)
            os.utime(directory)
            added(directory, cache_directory() / "ccache")


def workspaces() -> Path:
    """Return the directory that holds all workspaces."""
    return cache_directory() / "workspaces"


@contextmanager
def open_workspace(name: str) -> Iterator[Workspace]:
    """Lock workspace *name*, waiting for other runs, and make it if it does not exist."""
    directory = workspaces() / name
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(workspaces() / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait_for(lock, name)
        os.utime(directory)
        yield Workspace(directory, lock)
    finally:
        os.close(lock)


def _wait_for(lock: int, name: str) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another run is building in the workspace {name}; waiting for it")
        fcntl.flock(lock, fcntl.LOCK_EX)
