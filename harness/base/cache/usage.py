# SPDX-License-Identifier: Apache-2.0
"""The disk space that each item of the cache takes, kept in one file of the cache.

With ``sizes.json`` not every file has to be looked at each time. It may be deleted at any time: the
sizes are measured again.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from harness.base.cache.layout import BUILD
from harness.base.disk import write_whole
from harness.base.paths import cache_directory

SIZES, SIZES_LOCK = "sizes.json", "sizes.lock"


@dataclass
class Usage:
    """Sizes by path below the cache directory; *shared*: of files that several items link."""

    sizes: dict[str, int] = field(default_factory=dict)
    shared: int = 0

    @property
    def total(self) -> int:
        """The disk space of the cache in bytes."""
        return sum(self.sizes.values()) + self.shared


_UNCOUNTED = (FileNotFoundError, NotADirectoryError, PermissionError)


def measure(path: Path, leave: str = "") -> tuple[int, dict[int, int]]:
    """The disk space under *path* that its removal frees, and that of each inode with more links.

    A sparse file counts with its blocks; what is gone meanwhile, or another user's, not at all.
    What begins with *leave* in the directory *path* itself is left out.
    """
    own, linked, places = 0, {}, [path]
    with suppress(FileNotFoundError):
        own = _blocks(path.lstat())
    while places:
        place = places.pop()
        with suppress(*_UNCOUNTED), os.scandir(place) as found:
            for entry in found:
                if leave and place == path and entry.name.startswith(leave):
                    continue
                with suppress(FileNotFoundError):
                    status = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        places.append(Path(entry.path))
                    elif status.st_nlink > 1:
                        linked[status.st_ino] = _blocks(status)
                        continue
                    own += _blocks(status)
    return own, linked


def size_of(path: Path) -> tuple[int, dict[int, int]]:
    """As :func:`measure`, for a thing of the cache; builds are not a part of their workspace."""
    return measure(path, leave=BUILD if path.parent.name == "workspaces" else "")


def name_of(path: Path) -> str:
    """The name of *path* in the file of sizes."""
    return str(path.relative_to(cache_directory()))


@contextmanager
def open_usage() -> Iterator[Usage]:
    """Lock the file of sizes, read it, and write it at the end of the block.

    Who holds it is the only one that evicts.
    """
    root = cache_directory()
    with FileLock(root / SIZES_LOCK):
        usage = read_usage()
        yield usage
        with suppress(OSError):  # on a full disk: the sizes are measured again
            content = {"shared": usage.shared, "sizes": usage.sizes}
            write_whole(root / SIZES, json.dumps(content))


def read_usage() -> Usage:
    """The sizes as they were written last; an empty one if there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        stored = json.loads((cache_directory() / SIZES).read_text())
        return Usage(dict(stored["sizes"]), int(stored["shared"]))
    return Usage()


def _blocks(status: os.stat_result) -> int:
    return status.st_blocks * 512  # stat(2): units of 512 bytes, whatever the file system
