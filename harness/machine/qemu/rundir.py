# SPDX-License-Identifier: Apache-2.0
"""The private directory of one running guest; remove those that killed runs left.

A run directory belongs to the process that holds the lock on its ``owner`` file. The kernel drops
the lock with the process, however it dies, so a directory that can be locked is a leftover.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.base.disk import writing
from harness.machine.qemu.runroot import choose_run_root, run_roots

OWNER = "owner"


@dataclass(frozen=True)
class RunDirectory:
    """A directory for one guest's sockets and logs, locked until :meth:`remove`."""

    path: Path
    lock: int

    @staticmethod
    def make() -> "RunDirectory":
        """Create one, locked by this process."""
        root = choose_run_root().path
        with writing("a run directory", root):
            fresh = Path(tempfile.mkdtemp(prefix="new-", dir=root))
            try:
                lock = os.open(fresh / OWNER, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
            except OSError:
                fresh.rmdir()
                raise
            fcntl.flock(lock, fcntl.LOCK_EX)
            # renamed only now: a sweep removes "run-" directories without a lock
            path = fresh.rename(fresh.with_name(fresh.name.replace("new-", "run-", 1)))
        return RunDirectory(path, lock)

    def remove(self) -> None:
        """Delete it with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def leftovers() -> Iterator[Path]:
    """Run directories whose owner is dead."""
    for path in sorted(path for root in run_roots() for path in root.glob("run-*")):
        try:
            handle = os.open(path / OWNER, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            continue  # another process is removing it
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)
        yield path


def sweep() -> int:
    """Remove the run directories of dead owners; returns how many there were."""
    found = list(leftovers())
    for path in found:
        shutil.rmtree(path, ignore_errors=True)
    return len(found)
