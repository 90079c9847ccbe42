# SPDX-License-Identifier: Apache-2.0
"""Where kernel sources come from, and how each gets into a workspace's tree."""

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from harness.cache import digest
from harness.errors import SourceError, ToolError
from harness.kernel.apt import extract_package, fetch_package, find_package
from harness.kernel.archive import unpack_archive
from harness.kernel.git import git
from harness.kernel.snapshot import (
    directory_reader,
    list_revision,
    revision_reader,
    scan_directory,
    snapshot_identity,
)
from harness.kernel.tree import Reader, Snapshot, Tree
from harness.paths import cache_directory
from harness.progress import say

FORMS = (
    "'debian:6.12' (a distribution's source package), a directory, a tarball, "
    "or 'git:PATH-OR-URL@REVISION'"
)

LANDMARKS = ("Makefile", "Kconfig", "arch/arm64/Makefile", "kernel/dma/swiotlb.c")

_COMMIT = re.compile(r"[0-9a-f]{40}")


class Source(Protocol):
    """A kernel source that has been found and whose content is known, but that is not unpacked.

    *identity* stands for the content, *title* says for people what it is, *workspace* names the
    private tree that it shares with its other versions.
    """

    @property
    def identity(self) -> str: ...  # noqa: D102 - described above
    @property
    def title(self) -> str: ...  # noqa: D102 - described above
    @property
    def workspace(self) -> str: ...  # noqa: D102 - described above

    def populate(self, tree: Tree) -> None:
        """Bring this source into *tree*, replacing what is there."""


@dataclass(frozen=True)
class ArchiveSource:
    """A source that comes whole, as a tar archive which *fetch* returns."""

    identity: str
    title: str
    workspace: str
    fetch: Callable[[Path], Path]

    def populate(self, tree: Tree) -> None:
        """Unpack the archive; *fetch* gets a scratch directory of its own."""

        def unpack(directory: Path) -> None:
            with tempfile.TemporaryDirectory(dir=tree.directory) as scratch:
                unpack_archive(self.fetch(Path(scratch)), directory)
            check_complete(lambda name: (directory / name).is_file(), self.title)

        tree.replace(self.identity, unpack)


@dataclass(frozen=True)
class SnapshotSource:
    """A source whose files are known one by one, so that only differences are copied."""

    identity: str
    title: str
    workspace: str
    files: Snapshot
    read: Reader

    def populate(self, tree: Tree) -> None:
        """Copy what differs."""
        tree.sync(self.identity, self.files, self.read)


def resolve_source(text: str) -> Source:
    """Find the kernel source that *text* names; SourceError says what can be given instead."""
    kind, _, rest = text.partition(":")
    if kind == "debian" and rest:
        return _debian(rest)
    if kind == "git" and rest:
        return _git(rest)
    path = Path(text).expanduser().resolve()
    if path.is_dir():
        return _directory(path)
    if path.is_file():
        return _tarball(path)
    raise SourceError(f"'{text}' is no kernel source: nothing lies there. Expected {FORMS}.")


def check_complete(has_file: Callable[[str], bool], title: str) -> None:
    """Raise SourceError unless the tree looks like a Linux source with arm64 in it."""
    for name in LANDMARKS:
        if not has_file(name):
            raise SourceError(f"{title} is no complete Linux source: it has no {name}.")


def _debian(version: str) -> Source:
    package = find_package(f"linux-source-{version}")

    def fetch(scratch: Path) -> Path:
        extract_package(fetch_package(package), scratch)
        return next((scratch / "usr/src").glob("linux-source-*.tar.*"))

    title = f"debian {package.name} {package.version}"
    return ArchiveSource(package.sha256, title, f"debian-{version}", fetch)


def _tarball(path: Path) -> Source:
    content = digest(path)
    return ArchiveSource(content, f"tarball {path}", f"tarball-{content}", lambda _: path)


def _directory(path: Path) -> Source:
    name = f"directory-{digest(os.fsencode(path))}"
    files = scan_directory(path, cache_directory() / "scans" / f"{name}.json")
    title = f"directory {path}"
    check_complete(files.__contains__, title)
    return SnapshotSource(snapshot_identity(files), title, name, files, directory_reader(path))


def _git(text: str) -> Source:
    place, at, revision = text.rpartition("@")
    if not at or not place or not revision:
        raise SourceError(f"'git:{text}' names no revision. Expected git:PATH-OR-URL@REVISION.")
    local = Path(place).expanduser()
    if local.is_dir():
        place = str(local.resolve())
        repository, commit = Path(place), _local_commit(Path(place), revision)
    else:
        repository = cache_directory() / "git" / digest(place)
        commit = _remote_commit(repository, place, revision)
    files = list_revision(repository, commit)
    check_complete(files.__contains__, f"'{revision}' of {place}")
    return SnapshotSource(
        snapshot_identity(files),
        f"git {place} {revision} ({commit[:12]})",
        f"git-{digest(place)}",
        files,
        revision_reader(repository, files),
    )


def _local_commit(repository: Path, revision: str) -> str:
    try:
        return _parse(repository, revision)
    except ToolError as fault:
        raise SourceError(f"{repository} has no revision '{revision}': {fault}") from fault


def _remote_commit(repository: Path, url: str, revision: str) -> str:
    """Fetch *revision*, unless it is a full commit id that is here already."""
    git("init", "--quiet", "--bare", repository)
    kept = f"refs/harness/{digest(revision)}"
    here = partial(_parse, repository)
    if _COMMIT.fullmatch(revision) and _has(repository, revision):
        return here(revision)
    try:
        git("-C", repository, "fetch", "--quiet", "--depth=1", url, f"+{revision}:{kept}")
    except ToolError as fault:
        if not _has(repository, kept):
            raise SourceError(
                f"'{revision}' can not be fetched from {url} (a branch, a tag or a full commit id "
                f"is needed): {fault}"
            ) from fault
        say(f"git: {url} does not answer; going on with the '{revision}' of an earlier run")
    return here(kept)


def _parse(repository: Path, revision: str) -> str:
    name = f"{revision}^{{commit}}"
    return git("-C", repository, "rev-parse", "--verify", "--quiet", name).decode().strip()


def _has(repository: Path, revision: str) -> bool:
    try:
        _parse(repository, revision)
    except ToolError:
        return False
    return True
