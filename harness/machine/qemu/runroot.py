# SPDX-License-Identifier: Apache-2.0
"""Choose where run directories are made: the first place with room for all guests of a run."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import HostError
from harness.base.paths import APPLICATION, cache_directory
from harness.base.space import MIB, free_space

OVERRIDE = "HARNESS_RUN"
"""The environment variable with a directory to use before all others. A run that has chosen sets
it, so that all its processes make the same choice."""

SHARED_MEMORY = Path("/dev/shm")
"""A tmpfs, so that logs and sockets keep off the disk."""

RUN_SIZE = 16 * MIB
"""Bytes of the run directory of one guest: logs, the tables of a fence, sockets. Measured in the
whole suite: 8 MiB in one test, up to 0.7 MiB in most. Guest RAM is in no file system (ram.py)."""

LONGEST_SOCKET = 107
"""Bytes of the path of a socket (unix(7), sun_path)."""

LONGEST_NAME = len("/run-12345678/vhost-rogue0")
"""Characters of the longest path of a socket in a place for run directories."""


@dataclass(frozen=True)
class RunRoot:
    """The directory that holds run directories; *why* it was chosen, for a person."""

    path: Path
    why: str


def choose_run_root(guests: int = 1) -> RunRoot:
    """Return the first place with room for *guests* at a time; HostError if none has."""
    needed = guests * RUN_SIZE
    passed_over: list[str] = []
    for name, parent in _candidates():
        root = parent / f"{APPLICATION}-{os.getuid()}"
        obstacle = _obstacle(root, needed)
        if obstacle is None:
            reasons = f"; passed over: {', '.join(passed_over)}" if passed_over else ""
            free = free_space(root) // MIB
            size = f"{needed // MIB} MiB needed for {guests} guests at a time"
            return RunRoot(root, f"{name}: {free} MiB free, {size}{reasons}")
        passed_over.append(f"{name} ({parent}) {obstacle}")
    raise HostError(
        f"the run directories of {guests} guests at a time need {needed // MIB} MiB, and no place "
        f"has them: {', '.join(passed_over)}. Free space there, or set {OVERRIDE} to a directory "
        "with room"
    )


def keep_run_root(guests: int) -> None:
    """Choose a place for *guests* at a time, for this process and all that it starts."""
    os.environ[OVERRIDE] = str(choose_run_root(guests).path.parent)


def run_roots() -> Iterator[Path]:
    """All places that hold run directories of this user now."""
    for _, parent in _candidates():
        root = parent / f"{APPLICATION}-{os.getuid()}"
        if root.is_dir() and root.stat().st_uid == os.getuid():
            yield root


def _candidates() -> Iterator[tuple[str, Path]]:
    """Name and directory of each place, best first."""
    places: dict[Path, str] = {}
    if given := os.environ.get(OVERRIDE):
        places[Path(given).absolute()] = OVERRIDE
    places.setdefault(SHARED_MEMORY, "shared memory")
    places.setdefault(Path(os.environ.get("TMPDIR") or "/tmp"), "TMPDIR")
    places.setdefault(cache_directory(), "the cache")
    return ((name, place) for place, name in places.items())


def _obstacle(root: Path, needed: int) -> str | None:
    """Why *root* cannot hold run directories of *needed* bytes; None if it can. Makes it."""
    longest = len(os.fsencode(root)) + LONGEST_NAME
    if longest > LONGEST_SOCKET:
        return f"has too long a path for sockets by {longest - LONGEST_SOCKET} bytes"
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        if root.stat().st_uid != os.getuid():
            return f"has a directory {root.name} of another user"
        if not os.access(root, os.W_OK):
            return "is not writable"
        free = free_space(root)
    except OSError as fault:
        return f"cannot be used ({str(fault.strerror).lower()})"
    return None if free >= needed else f"has {free // MIB} MiB free"
