# SPDX-License-Identifier: Apache-2.0
"""Share cache entries between machines in a directory or bucket, named by ``HARNESS_STORE``.

Any file system of fsspec works: ``/net/harness``, ``s3://bucket/harness``. An entry
is one archive, stored by the hash of its content. A pointer, stored by kind and key, names the
archive; it is written last, so that no reader finds half an entry. Without a store fsspec is not
imported.
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

from harness.base.errors import HarnessError, HostError
from harness.base.progress import say
from harness.base.tools import run_tool

VARIABLE = "HARNESS_STORE"

QUICK = 1
"""Level of gzip: 80 MB become 25 MB; higher levels take longer than the transfer."""


@dataclass(frozen=True)
class Store:
    """The store at *url*. If it fails, say so and continue without it."""

    url: str

    def has(self, kind: str, key: str) -> bool:
        """Whether the store has a pointer to the entry."""
        files, root = self._open()
        try:
            return bool(files.exists(_pointer(root, kind, key)))
        except OSError as fault:
            return self._failed(kind, key, fault)

    def fetch(self, kind: str, key: str, directory: Path) -> bool:
        """Unpack the entry into the empty *directory*; return False if it is absent or damaged."""
        files, root = self._open()
        try:
            pointer = _pointer(root, kind, key)
            if not files.exists(pointer):
                return False
            wanted = files.cat_file(pointer).decode().strip()
            with tempfile.NamedTemporaryFile(dir=directory.parent) as archive:
                files.get_file(_object(root, wanted), archive.name)
                found = file_sha256(Path(archive.name))
                if found != wanted:
                    raise ValueError(f"its content hashes to {found}, not to {wanted}")
                # Python 3.11 of Debian 12 has no safe tarfile.extractall()
                run_tool(("tar", "--no-same-owner", "-xzf", archive.name, "-C", directory))
        except (OSError, ValueError, HarnessError) as fault:
            return self._failed(kind, key, fault)
        return True

    def publish(self, kind: str, key: str, entry: Path) -> bool:
        """Publish the finished *entry*; return False if that fails."""
        files, root = self._open()
        try:
            with tempfile.TemporaryDirectory() as scratch:
                archive = Path(scratch) / "entry.tar.gz"
                with tarfile.open(archive, "w:gz", compresslevel=QUICK) as tar:
                    tar.add(entry, arcname=".")
                content = file_sha256(archive)
                _put(files, archive, _object(root, content))
                archive.write_text(f"{content}\n")
                _put(files, archive, _pointer(root, kind, key))
        except OSError as fault:
            return self._failed(kind, key, fault)
        return True

    def _open(self) -> tuple[Any, str]:
        return _file_system(self.url)

    def _failed(self, kind: str, key: str, fault: Exception) -> bool:
        say(f"store {self.url}: {kind}/{key}: {fault}; continuing without it")
        return False


def shared_store() -> Store | None:
    """Return the store that ``HARNESS_STORE`` names; None if it is not set."""
    url = os.environ.get(VARIABLE, "")
    return Store(url) if url else None


@cache
def _file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system and path for *url*; raise HostError if there is none."""
    try:
        files, root = import_module("fsspec").url_to_fs(url, use_listings_cache=False)
    except (ImportError, ValueError) as fault:
        raise HostError(
            f"cannot open the store {url}: {fault}. Install what it needs: "
            "pip install -e '.[cluster]', for s3:// also '.[s3]'"
        ) from fault
    return files, str(root)


def _pointer(root: str, kind: str, key: str) -> str:
    return f"{root}/{kind}/{key}"


def _object(root: str, content: str) -> str:
    return f"{root}/objects/{content}.tar.gz"


def _put(files: Any, source: Path, target: str) -> None:
    """Write under another name and rename: readers see the whole file or none."""
    folder, _, name = target.rpartition("/")
    fresh = f"{folder}/.{name}.{uuid4().hex}"
    files.makedirs(folder, exist_ok=True)
    files.put_file(str(source), fresh)
    files.mv(fresh, target)


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
