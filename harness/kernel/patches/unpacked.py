# SPDX-License-Identifier: Apache-2.0
"""The kernel sources that are unpacked on this machine, and whether a series applies to each."""

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from harness.base.errors import SeriesError, SourceError
from harness.kernel.patches.apply import Attempt, Fit, try_series
from harness.kernel.patches.diff import Patch
from harness.kernel.source.tree import SourceTree
from harness.kernel.source.version import read_version
from harness.kernel.source.workspace import workspaces

_DEBIAN = re.compile(r"debian-(?:(?P<suite>.+)-(?P<package>linux-source-.+)|(?P<version>.+))")


@dataclass(frozen=True)
class Unpacked:
    """A source tree: what to call it, its version, and the directory of its workspace."""

    name: str
    version: Version
    directory: Path


@dataclass(frozen=True)
class Trial:
    """A series tried on the kernel *name*; *attempts* are empty if another run uses its tree."""

    name: str
    version: str
    attempts: tuple[Attempt, ...]

    @property
    def label(self) -> str:
        """The kernel with its version."""
        return f"{self.name} ({self.version})" if self.version else self.name

    @property
    def applies(self) -> bool:
        """Whether every patch applies, or is applied already."""
        return bool(self.attempts) and self.attempts[-1].fit is not Fit.REFUSED


def unpacked_sources() -> list[Unpacked]:
    """All complete source trees of the cache, the oldest version first."""
    directory = workspaces()
    found = [one for one in map(_unpacked, sorted(directory.glob("*/"))) if one]
    return sorted(found, key=lambda one: (one.version, one.name))


def try_unpacked(patches: Sequence[Patch]) -> list[Trial]:
    """Try *patches* on each source of the cache; nothing is unpacked, built or waited for."""
    trials = []
    for kernel in unpacked_sources():
        with _unused(kernel) as free:
            tree = SourceTree(kernel.directory)
            tried = try_series(patches, tree.pristine) if free else ()
        trials.append(Trial(kernel.name, str(kernel.version), tried))
    return trials


def _unpacked(directory: Path) -> Unpacked | None:
    tree = SourceTree(directory)
    try:
        makefile = (tree.source / "Makefile").read_text(errors="replace")
        version = read_version(makefile, directory.name)
        complete = tree.state.pristine is not None
    except (OSError, SourceError, ValueError):
        return None
    return Unpacked(_name(directory.name), version, directory) if complete else None


def _name(workspace: str) -> str:
    """What a person calls the source of a workspace: for packages, the word for --kernel."""
    if not (found := _DEBIAN.fullmatch(workspace)):
        return f"a {workspace.partition('-')[0]} source"
    if found["suite"]:
        return f"debian:{found['suite']}/{found['package']}"
    return f"debian:{found['version']}"


@contextmanager
def _unused(kernel: Unpacked) -> Iterator[bool]:
    """Whether no other run has locked the workspace; it is locked for the block then."""
    lock = os.open(
        kernel.directory.with_name(f"{kernel.directory.name}.lock"), os.O_RDWR | os.O_CREAT, 0o644
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def try_cached(patches: Sequence[Patch]) -> tuple[Trial, ...]:
    """As :func:`try_unpacked`, for a message; nothing for an unsafe patch."""
    try:
        return tuple(one for one in try_unpacked(patches) if one.attempts)
    except SeriesError:
        return ()
