# SPDX-License-Identifier: Apache-2.0
"""One file of a source tree as a value, with its identity in git."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

REGULAR, EXECUTABLE, SYMLINK = 0o100644, 0o100755, 0o120000
"""The modes that git gives to files (git, Documentation/git-fast-import.txt, "filemodify")."""


@dataclass(frozen=True)
class Content:
    """Bytes and git mode of a file; of a symbolic link the bytes are its target."""

    mode: int
    data: bytes

    @property
    def identity(self) -> str:
        """Mode and git blob id, as ``git ls-tree`` shows them."""
        blob = hashlib.sha1(b"blob %d\0" % len(self.data), usedforsecurity=False)
        blob.update(self.data)
        return f"{self.mode:o} {blob.hexdigest()}"


def read_content(path: Path) -> Content | None:
    """Read the file or symbolic link at *path*; None if there is none."""
    try:
        mode = path.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return Content(SYMLINK, os.fsencode(path.readlink()))
    if not stat.S_ISREG(mode):
        return None
    return Content(EXECUTABLE if mode & stat.S_IXUSR else REGULAR, path.read_bytes())


def write_content(path: Path, content: Content | None) -> None:
    """Write *content* to *path*; None removes the file.

    A file that has this content already keeps its times; another one is replaced atomically.
    """
    if read_content(path) == content:
        return
    if content is None:
        path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.harness")
    fresh.unlink(missing_ok=True)
    if content.mode == SYMLINK:
        fresh.symlink_to(os.fsdecode(content.data))
    else:
        fresh.write_bytes(content.data)
        fresh.chmod(0o755 if content.mode == EXECUTABLE else 0o644)
    fresh.replace(path)


def prune_empty(directory: Path, top: Path) -> None:
    """Remove *directory* and its parents below *top* as far as they are empty."""
    while directory != top and directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()
        directory = directory.parent
