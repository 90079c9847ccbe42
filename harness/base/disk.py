# SPDX-License-Identifier: Apache-2.0
"""Errors of a disk: name the file system that is full, and how to make room."""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.base.errors import HostError
from harness.base.space import MIB, free_space

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Error numbers of a write to a file system, or a share of it, that is full."""

DISK_FAULTS = frozenset({*FULL, errno.EROFS, errno.EACCES, errno.EIO})
"""Error numbers of a failed write that are the fault of the disk, not of this program."""

NOTHING_LEFT = 64 << 10
"""Fewer free bytes than this are a full file system: most files need more."""

ROOM = "Free space there ('harness cache prune --to SIZE' shrinks the cache)"
"""How to make room on a full file system."""

ELSEWHERE = (
    "another directory: HARNESS_RUN for running guests, HARNESS_CACHE for caches and results, "
    "TMPDIR for temporary files"
)
"""The other remedy, for every fault of a disk."""


def file_system(place: Path) -> str:
    """Describe the file system of *place* for an error: where it is mounted, and how full it is."""
    place = place.absolute()
    mount = next(parent for parent in (place, *place.parents) if parent.is_mount())
    usage = shutil.disk_usage(mount)
    free, total = usage.free // MIB, usage.total // MIB
    return f"the file system at {mount}, {free} of {total} MiB free"


def cannot_write(what: str, place: Path, fault: OSError) -> HostError:
    """The error for *what* that could not be written in the directory *place*.

    The file that *fault* names, if any, is elsewhere: in a temporary directory for example.
    """
    named = fault.filename2 or fault.filename  # of a copy, the second one is written
    if isinstance(named, str):
        place = Path(named)
    why = str(fault.strerror or fault).lower()
    remedy = f"{ROOM}, or name {ELSEWHERE}" if fault.errno in FULL else f"Name {ELSEWHERE}"
    return HostError(f"cannot write {what}: {why} ({file_system(place)}). {remedy}")


@contextmanager
def writing(what: str, place: Path) -> Iterator[None]:
    """Turn a fault of the disk, while *what* is written in *place*, into a HostError."""
    try:
        yield
    except OSError as fault:
        if fault.errno not in DISK_FAULTS:
            raise
        raise cannot_write(what, place, fault) from fault


def require_not_full(what: str, places: Sequence[Path], said: str = "") -> None:
    """Raise HostError, because *what* failed, if a file system of *places* is full.

    For programs that end alike when the disk and when their input is at fault; *said* is what they
    wrote, as they may have removed what filled the disk.
    """
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    place = min(places, key=free_space)
    if free_space(place) < NOTHING_LEFT or str(full.strerror) in said:
        raise cannot_write(what, place, full)


def write_whole(path: Path, text: str) -> None:
    """Write *text* to *path* in one step: no reader and no kill leaves a part of it.

    Processes that write the same file at the same time do not disturb each other; the last wins.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
