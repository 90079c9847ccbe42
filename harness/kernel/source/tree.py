# SPDX-License-Identifier: Apache-2.0
"""A private source tree that knows its pristine content and which files a series has changed.

::

    src/         what is compiled: the pristine tree with the series applied
    originals/   the pristine form of every file that the series changes
    state.json   which pristine tree this is, and which files are changed
    files.json   for a tree that is synced file by file: what each file is

Only files whose content differs are ever written, so that make rebuilds no more than it must.
Each step is recorded before it is done, so that the next run can repair the tree of a killed one.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.base.cache.evict import added
from harness.base.disk import write_whole
from harness.base.errors import SourceError
from harness.kernel.source.content import Content, prune_empty, read_content, write_content

Snapshot = Mapping[str, str]
"""Of each file of a tree, by path: its :attr:`Content.identity`."""

Reader = Callable[[Iterable[str]], Iterator[tuple[str, Content | None]]]
"""Yields each path asked for and its content, None if there is no such file (any more)."""

UNKNOWN = ""

MANY = 1000
"""A tree of which more files change may take much more disk space than before."""


@dataclass(frozen=True)
class TreeState:
    """The identity of the pristine tree (None: incomplete) and the paths a series has changed."""

    pristine: str | None = None
    patched: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SourceTree:
    """The source tree of one workspace; the caller holds the workspace's lock."""

    directory: Path

    @property
    def source(self) -> Path:
        """The tree to compile."""
        return self.directory / "src"

    @property
    def state(self) -> TreeState:
        """What is recorded about the tree."""
        try:
            stored = json.loads(self._state.read_text())
        except FileNotFoundError:
            return TreeState()
        return TreeState(stored["pristine"], frozenset(stored["patched"]))

    @property
    def files(self) -> Snapshot | None:
        """The pristine files of a tree that is synced file by file; None for an unpacked one."""
        try:
            files: Snapshot = json.loads(self._files.read_text())
        except FileNotFoundError:
            return None
        return files

    def replace(self, identity: str, unpack: Callable[[Path], None]) -> None:
        """Remove the tree and let *unpack* fill a new one with identity *identity*."""
        self.clear()
        fresh = self.directory / "src.new"
        fresh.mkdir()
        unpack(fresh)
        fresh.rename(self.source)
        self._save(TreeState(identity))
        added(self.directory)

    def clear(self) -> None:
        """Remove the tree."""
        self._state.unlink(missing_ok=True)
        self._files.unlink(missing_ok=True)
        for name in ("src", "src.new", "originals"):
            shutil.rmtree(self.directory / name, ignore_errors=True)

    def sync(self, identity: str, wanted: Snapshot, read: Reader) -> None:
        """Make the pristine tree equal *wanted*, reading only what differs from before.

        Raises SourceError if the source changes meanwhile.
        """
        have = self._load_files()
        gone = [path for path in have if path not in wanted]
        changed = [path for path, file in wanted.items() if have.get(path) != file]
        patched = self.state.patched
        self._save(TreeState(None, patched))
        self._save_files({**have, **dict.fromkeys(gone + changed, UNKNOWN)})
        for path in gone:
            home = self._home(path, patched)
            write_content(home, None)
            prune_empty(home.parent, self.source)
        for path, content in read(changed):
            if content is None or content.identity != wanted[path]:
                raise SourceError(f"{path} changed while it was read. Run the command again.")
            write_content(self._home(path, patched), content)
        self._save_files(wanted)
        self._save(TreeState(identity, patched))
        if len(changed) > MANY:
            added(self.directory)

    def pristine(self, path: str) -> Content | None:
        """Return the file at *path* as it is without any series."""
        return read_content(self._home(path, self.state.patched))

    def current(self, path: str) -> Content | None:
        """Return the file at *path* as it is compiled."""
        return read_content(self.source / path)

    def patch(self, changes: Mapping[str, Content | None]) -> None:
        """Make the tree the pristine one plus *changes* (None: the file is absent)."""
        before = self.state
        dropped = before.patched - changes.keys()
        for path in changes.keys() - before.patched:
            write_content(self._original(path), read_content(self.source / path))
        self._save(TreeState(before.pristine, before.patched | changes.keys()))
        restored = {path: read_content(self._original(path)) for path in dropped}
        targets = {**changes, **restored}
        for path in (path for path, content in targets.items() if content is None):
            self._remove(path)
        for path, content in targets.items():
            write_content(self.source / path, content)
        self._save(TreeState(before.pristine, frozenset(changes)))
        for path in dropped:
            write_content(self._original(path), None)

    def _remove(self, path: str) -> None:
        """Remove a file, and directories that are empty then: a new file may have their name."""
        write_content(self.source / path, None)
        prune_empty((self.source / path).parent, self.source)

    def _home(self, path: str, patched: frozenset[str]) -> Path:
        """Where the pristine form of *path* lies."""
        return self._original(path) if path in patched else self.source / path

    def _original(self, path: str) -> Path:
        return self.directory / "originals" / path

    @property
    def _state(self) -> Path:
        return self.directory / "state.json"

    @property
    def _files(self) -> Path:
        return self.directory / "files.json"

    def _save(self, state: TreeState) -> None:
        stored = {"pristine": state.pristine, "patched": sorted(state.patched)}
        write_whole(self._state, json.dumps(stored, indent=1))

    def _load_files(self) -> Snapshot:
        files = self.files
        if files is None:
            self.clear()  # files of unknown content may be there
        return files or {}

    def _save_files(self, files: Snapshot) -> None:
        write_whole(self._files, json.dumps(dict(files)))
