# SPDX-License-Identifier: Apache-2.0
"""Kernel sources: resolve a source's name, and populate a workspace's tree from it."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from packaging.version import Version

from harness.base.cache import digest
from harness.base.cache.evict import growing
from harness.base.errors import SourceError
from harness.base.paths import cache_directory
from harness.kernel.source.apt import Package, extract_package
from harness.kernel.source.archive import read_member, unpack_archive
from harness.kernel.source.revision import local_commit, remote_commit
from harness.kernel.source.snapshot import (
    directory_reader,
    list_revision,
    revision_reader,
    scan_directory,
    snapshot_identity,
)
from harness.kernel.source.suites import find_in_suite, find_source, newest
from harness.kernel.source.tree import Reader, Snapshot, SourceTree
from harness.kernel.source.version import parse_version, read_version
from harness.kernel.spec import BUILT, PACKAGED

FORMS = (
    "'debian:6.12' (this machine's source package, or else its mirror's), "
    "'debian:SUITE/linux-source-7.3' (that of a suite), 'debian:newest' (of any suite), a "
    "directory, a tarball, "
    "'git:PATH-OR-URL@REVISION', 'build:DIR' (a kernel that is built already), or "
    "'package:[SUITE/]NAME' (an image that the distribution ships for arm64)"
)

LANDMARKS = ("Makefile", "Kconfig", "arch/arm64/Makefile", "kernel/dma/swiotlb.c")

NEWEST = "newest"


class Source(Protocol):
    """A kernel source that was found, but not unpacked.

    *identity* is a hash of the content, *title* a description for messages, *workspace* the name
    of the private tree for all versions of this source, *version* the kernel's.
    """

    @property
    def identity(self) -> str: ...  # noqa: D102 - described above
    @property
    def title(self) -> str: ...  # noqa: D102 - described above
    @property
    def workspace(self) -> str: ...  # noqa: D102 - described above
    @property
    def version(self) -> Version: ...  # noqa: D102 - described above

    def populate(self, tree: SourceTree) -> None:
        """Make *tree* equal this source."""


def update_tree(tree: SourceTree, source: Source) -> None:
    """Make *tree* equal *source*, unless it does already."""
    if tree.state.pristine != source.identity:
        source.populate(tree)


@dataclass(frozen=True)
class ArchiveSource:
    """A source in a tar archive, which *fetch* returns."""

    identity: str
    title: str
    workspace: str
    version: Version
    fetch: Callable[[Path], Path]

    def populate(self, tree: SourceTree) -> None:
        """Unpack the archive; *fetch* gets a scratch directory of its own."""

        def unpack(directory: Path) -> None:
            with tempfile.TemporaryDirectory(dir=tree.directory) as scratch:
                unpack_archive(self.fetch(Path(scratch)), directory)
            check_complete(lambda name: (directory / name).is_file(), self.title)

        tree.replace(self.identity, unpack)


@dataclass(frozen=True)
class SnapshotSource:
    """A source with a list of its files, so that only differences are copied."""

    identity: str
    title: str
    workspace: str
    version: Version
    files: Snapshot
    read: Reader

    def populate(self, tree: SourceTree) -> None:
        """Copy what differs."""
        tree.sync(self.identity, self.files, self.read)


def resolve_source(text: str) -> Source:
    """Find the kernel source that *text* names; SourceError lists the accepted forms."""
    kind, _, rest = text.partition(":")
    if text.startswith((BUILT, PACKAGED)):
        raise SourceError(
            f"{text} is a kernel that is built already: it has no source that a series could be "
            "applied to. Name its source with --kernel instead."
        )
    if kind == "debian" and rest:
        return _debian(rest)
    if kind == "git" and rest:
        return _git(rest)
    path = Path(text).expanduser().resolve()
    if path.is_dir():
        return _directory(path)
    if path.is_file():
        return _tarball(path)
    raise SourceError(
        f"'{text}' is not a kernel source: no such file or directory. Expected {FORMS}."
    )


def pin_source(text: str) -> str:
    """The fixed name of the source that *text* resolves to now.

    ``debian:newest`` becomes that package, a branch or a tag its commit; others do not change.
    Raises SourceError as :func:`resolve_source` does.
    """
    kind, _, rest = text.partition(":")
    if kind == "debian" and rest == NEWEST:
        return f"debian:{_newest()}"
    if kind == "git" and rest:
        place, _, commit, _ = _commit(rest)
        return f"git:{place}@{commit}"
    return text


def check_complete(has_file: Callable[[str], bool], title: str) -> None:
    """Raise SourceError unless the tree has the LANDMARKS of a Linux source with arm64."""
    for name in LANDMARKS:
        if not has_file(name):
            raise SourceError(f"{title} is not a complete Linux source: it has no {name}.")


def _debian(name: str) -> Source:
    if name == NEWEST:
        name = _newest()
    suite, slash, package = name.partition("/")
    if slash:
        return _packaged(find_in_suite(suite, package), f"debian-{suite}-{package}")
    return _packaged(find_source(f"linux-source-{name}"), f"debian-{name}")


def _newest() -> str:
    found = newest()
    return f"{found.suite}/{found.package}"


def _packaged(package: Package, workspace: str) -> Source:
    def fetch(scratch: Path) -> Path:
        extract_package(package.fetch(), scratch)
        return next((scratch / "usr/src").glob("linux-source-*.tar.*"))

    title = f"debian {package.name} {package.version}"
    version = parse_version(package.version)
    return ArchiveSource(package.sha256, title, workspace, version, fetch)


def _tarball(path: Path) -> Source:
    content, title = digest(path), f"tarball {path}"
    version = read_version(read_member(path, "Makefile"), title)
    return ArchiveSource(content, title, f"tarball-{content}", version, lambda _: path)


def _directory(path: Path) -> Source:
    name = f"directory-{digest(os.fsencode(path))}"
    files = scan_directory(path, cache_directory() / "scans" / f"{name}.json")
    return _snapshot(f"directory {path}", name, files, directory_reader(path))


def _git(text: str) -> Source:
    place, repository, commit, revision = _commit(text)
    title = f"git {place} {revision} ({commit[:12]})"
    files = list_revision(repository, commit)
    return _snapshot(title, f"git-{digest(place)}", files, revision_reader(repository, files))


def _commit(text: str) -> tuple[str, Path, str, str]:
    """URL or path, local repository, commit and revision of PATH-OR-URL@REVISION."""
    place, at, revision = text.rpartition("@")
    if not at or not place or not revision:
        raise SourceError(f"'git:{text}' names no revision. Expected git:PATH-OR-URL@REVISION.")
    local = Path(place).expanduser()
    if local.is_dir():
        place = str(local.resolve())
        return place, Path(place), local_commit(Path(place), revision), revision
    with growing(cache_directory() / "git" / digest(place)) as repository:
        commit = remote_commit(repository, place, revision)
    return place, repository, commit, revision


def _snapshot(title: str, workspace: str, files: Snapshot, read: Reader) -> Source:
    check_complete(files.__contains__, title)
    makefile = next(content for _, content in read(["Makefile"]))
    version = read_version(makefile.data.decode(errors="replace") if makefile else "", title)
    return SnapshotSource(snapshot_identity(files), title, workspace, version, files, read)
