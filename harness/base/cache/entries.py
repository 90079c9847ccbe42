# SPDX-License-Identifier: Apache-2.0
"""A cache of directories: keyed by content, written atomically under a lock, verified when read."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness.base.cache.budget import wanted_size
from harness.base.cache.evict import added, discard
from harness.base.cache.kinds import kind_of
from harness.base.cache.layout import MANIFEST, UNFINISHED
from harness.base.cache.lease import lease
from harness.base.cache.store import Store, file_sha256, shared_store
from harness.base.disk import writing
from harness.base.paths import cache_directory
from harness.base.progress import say


def digest(*parts: str | bytes | Path) -> str:
    """Hash *parts* to a key of 24 hexadecimal digits; a Path stands for its file's content."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(_sha256(part).encode())
    return whole.hexdigest()[:24]


def _sha256(part: str | bytes | Path) -> str:
    if isinstance(part, Path):
        return file_sha256(part)
    return hashlib.sha256(part.encode() if isinstance(part, str) else part).hexdigest()


@dataclass(frozen=True)
class Cache:
    """All entries of one kind, for example ``kernels``, under the user's cache directory."""

    kind: str

    @property
    def root(self) -> Path:
        """The directory that holds the entries."""
        path = cache_directory() / self.kind
        path.mkdir(parents=True, exist_ok=True)
        return path

    def lock(self, key: str) -> FileLock:
        """The lock that guards entry *key* across processes."""
        return FileLock(self.root / f"{key}.lock")

    def find(self, key: str) -> Path | None:
        """Return entry *key* if it is there and intact; remove a damaged one and say so.

        It is not evicted while this process lives, or the block of :func:`leases` lasts.
        """
        entry = self.root / key
        if not lease(entry):
            return None
        fault = _damage(entry)
        if fault is None:
            os.utime(entry)
            return entry
        say(f"cache: {self.kind}/{key} is damaged ({fault}); building it again")
        shutil.rmtree(entry)
        return None

    def get(self, key: str, build: Callable[[Path], None]) -> Path:
        """Return entry *key*, calling *build* with an empty directory to fill if it is absent.

        An exception of *build* is raised again and leaves no entry; a full or read-only disk is a
        HostError. Kinds that machines share are fetched from their store if it has them, and
        published there after a build. If the cache becomes too large, others are evicted.
        """
        wanted_size()
        with writing(f"to the cache, {self.kind}", self.root), self.lock(key):
            if entry := self.find(key):
                return entry
            store = shared_store() if kind_of(self.kind).shared else None
            if not (store and (entry := self._take(key, store))):
                entry = self._build(key, build)
                if store:
                    store.publish(self.kind, key, entry)
            lease(entry)
            added(entry)
            return entry

    def share(self, key: str) -> None:
        """Publish entry *key* in the store that machines share, if there is one."""
        store, entry = shared_store(), self.find(key)
        if store and entry and not store.has(self.kind, key):
            store.publish(self.kind, key, entry)

    def remove(self, key: str) -> None:
        """Delete entry *key*, if it is there, even if somebody uses it."""
        with self.lock(key):
            discard(self.root / key)

    def _take(self, key: str, store: Store) -> Path | None:
        """Fetch the entry from the store; say so and return None if it is damaged."""
        fresh = self.root / f"{key}{UNFINISHED}"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        try:
            if not store.fetch(self.kind, key, fresh):
                return None
            if fault := _damage(fresh):
                say(f"store: {self.kind}/{key} is damaged ({fault}); building it again")
                return None
            fresh.rename(self.root / key)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return self.root / key

    def _build(self, key: str, build: Callable[[Path], None]) -> Path:
        fresh = self.root / f"{key}{UNFINISHED}"
        shutil.rmtree(fresh, ignore_errors=True)  # left by a killed run
        fresh.mkdir()
        try:
            build(fresh)
            files = sorted(file for file in fresh.rglob("*") if file.is_file())
            sums = {str(file.relative_to(fresh)): _sha256(file) for file in files}
            (fresh / MANIFEST).write_text(json.dumps(sums, indent=1))
            fresh.rename(self.root / key)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        return self.root / key


def _damage(entry: Path) -> str | None:
    """What is wrong with an entry; None if it is intact."""
    try:
        sums: dict[str, str] = json.loads((entry / MANIFEST).read_text())
    except (OSError, ValueError) as fault:
        return f"manifest: {fault}"
    for name, wanted in sums.items():
        path = entry / name
        if not path.is_file():
            return f"{name} is missing"
        if _sha256(path) != wanted:
            return f"{name} has changed"
    return None
