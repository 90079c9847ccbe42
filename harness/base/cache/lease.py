# SPDX-License-Identifier: Apache-2.0
"""Leases: shared locks on directories of the cache, which protect them from eviction.

A lease belongs to the process that took it, or to the block of :func:`leases` in which it was
taken. The kernel releases it when the process dies, however it dies.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

Held = dict[Path, int]
"""The open file descriptors that hold the locks, by directory."""

_process: Held = {}
_scope: ContextVar[Held] = ContextVar("leases", default=_process)


def lease(directory: Path) -> bool:
    """Protect *directory* from eviction, here and in other processes; False if it is gone.

    Waits for an eviction that has begun. A file system without such locks (NFS) gives no
    protection.
    """
    held = _scope.get()
    if directory in held:
        if _is_open(directory, held[directory]):
            return True
        os.close(held.pop(directory))  # it was removed and made again
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    if not _is_open(directory, descriptor):
        os.close(descriptor)
        return False
    held[directory] = descriptor
    return True


@contextmanager
def leases() -> Iterator[None]:
    """End the leases that the block takes at its end, not at that of the process."""
    held: Held = {}
    token = _scope.set(held)
    try:
        yield
    finally:
        _scope.reset(token)
        for descriptor in held.values():
            os.close(descriptor)


@contextmanager
def unleased(directory: Path) -> Iterator[bool]:
    """Whether no process has a lease on *directory*; none gets one during the block."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        except OSError:  # no such locks: see lease()
            yield True
        else:
            yield True
    finally:
        os.close(descriptor)


def _is_open(directory: Path, descriptor: int) -> bool:
    """Whether *directory* is the one behind *descriptor*: it may have been removed meanwhile."""
    with suppress(FileNotFoundError):
        return os.path.samestat(directory.stat(), os.fstat(descriptor))
    return False
