# SPDX-License-Identifier: Apache-2.0
"""Cache entries that several machines share: a directory or a bucket, named by ``HARNESS_STORE``.

Whatever fsspec has a file system for will do: ``/net/harness``, ``s3://bucket/harness``. An entry
is one archive, stored by the hash of its content; a pointer, stored by kind and key, names it and
is written last, so that nobody finds half an entry. Nothing of fsspec is imported without a store.
"""

import hashlib
import os
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

from harness.base.errors import HostError
from harness.base.progress import say

VARIABLE = "HARNESS_STORE"

SHARED = frozenset({"kernels", "initramfs"})
"""The kinds of entry that take long to build and are the same on every machine."""

QUICK = 1
"""gzip's level: an entry of 80 MB becomes 25, and more effort takes longer than to send that."""


@dataclass(frozen=True)
class Store:
    """The place that *url* names. A store that fails is said, and never the end of a run."""

    url: str

    def has(self, kind: str, key: str) -> bool:
        """Whether the entry is there, as far as its pointer says."""
        files, root = self._open()
        try:
            return bool(files.exists(_pointer(root, kind, key)))
        except OSError as fault:
            return self._failed(kind, key, fault)

    def fetch(self, kind: str, key: str, directory: Path) -> bool:
        """Unpack the entry into the empty *directory*; False if it is not there intact."""
        files, root = self._open()
        try:
            pointer = _pointer(root, kind, key)
            if not files.exists(pointer):
                return False
            wanted = files.cat_file(pointer).decode().strip()
            with tempfile.NamedTemporaryFile(dir=directory.parent) as archive:
                files.get_file(_object(root, wanted), archive.name)
                found = _sha256(Path(archive.name))
                if found != wanted:
                    raise ValueError(f"its content hashes to {found}, not to {wanted}")
                with tarfile.open(archive.name) as tar:
                    tar.extractall(directory, filter="data")
        except (OSError, ValueError, tarfile.TarError) as fault:
            return self._failed(kind, key, fault)
        return True

    def publish(self, kind: str, key: str, entry: Path) -> bool:
        """Put the finished *entry* there for all others; False if that could not be done."""
        files, root = self._open()
        try:
            with tempfile.TemporaryDirectory() as scratch:
                archive = Path(scratch) / "entry.tar.gz"
                with tarfile.open(archive, "w:gz", compresslevel=QUICK) as tar:
                    tar.add(entry, arcname=".")
                content = _sha256(archive)
                _put(files, archive, _object(root, content))
                archive.write_text(f"{content}\n")
                _put(files, archive, _pointer(root, kind, key))
        except OSError as fault:
            return self._failed(kind, key, fault)
        return True

    def _open(self) -> tuple[Any, str]:
        return _file_system(self.url)

    def _failed(self, kind: str, key: str, fault: Exception) -> bool:
        say(f"store {self.url}: {kind}/{key}: {fault}; going on without it")
        return False


def shared_store() -> Store | None:
    """The store that ``HARNESS_STORE`` names, None if it names none."""
    url = os.environ.get(VARIABLE, "")
    return Store(url) if url else None


@cache
def _file_system(url: str) -> tuple[Any, str]:
    """fsspec's file system for *url*, and the path in it; HostError if there is none."""
    try:
        files, root = import_module("fsspec").url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as fault:
        raise HostError(
            f"the store {url} cannot be reached: {fault}. For a directory and for others install "
            "the extra 'cluster' of this package, for s3:// also 's3'"
        ) from fault
    return files, str(root)


def _pointer(root: str, kind: str, key: str) -> str:
    return f"{root}/{kind}/{key}"


def _object(root: str, content: str) -> str:
    return f"{root}/objects/{content}.tar.gz"


def _put(files: Any, source: Path, target: str) -> None:
    """Write in two steps: whoever looks sees all of a file, or none."""
    folder, _, name = target.rpartition("/")
    fresh = f"{folder}/.{name}.{uuid4().hex}"
    files.makedirs(folder, exist_ok=True)
    files.put_file(str(source), fresh)
    files.mv(fresh, target)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
