# SPDX-License-Identifier: Apache-2.0
"""What the cache holds: each thing that can be evicted by itself, its disk space and last use.

``sizes.json`` in the cache keeps the sizes, so that not every file is looked at each time. It is
a memory only: what lies in the cache is the truth, and the file may be deleted at any time.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from filelock import FileLock

from harness.base.paths import APPLICATION, cache_directory

MANIFEST = "manifest.json"
"""The file of a finished entry with the hashes of all others."""

UNFINISHED = ".building"
"""The suffix of the directory of an entry that is being built."""

TRASH = "trash"
"""Where directories go before they are deleted, so that a kill leaves no half of one."""

FAILURES = "failures"
"""The directory of the artifacts of failed tests."""

LANES = "lanes"
"""The directory of the chroots of scripts/lane."""

KERNEL = "kernel"
"""A file in an entry that belongs to one kernel: the kernel's key."""

KERNEL_RECORD, MACHINE_RECORD = "kernel.json", "machine.json"
"""Files that describe a kernel, and the machine of a kept failure."""

BUILD = "build-"
"""The prefix of build directories in a workspace."""

BOOK, BOOK_LOCK = "sizes.json", "sizes.lock"

WORTH = {
    "parked": 1.0,  # a second or two
    "builds": 4.0,  # minutes, or less with ccache
    "kernels": 8.0,  # minutes
    "workspaces": 8.0,  # a minute, and all builds with them
    "packages": 8.0,  # a download
    "apt": 8.0,
    "git": 8.0,
    "coverage": 8.0,  # a whole run
    LANES: 16.0,  # minutes, a download, and the caches in it
    FAILURES: 16.0,  # cannot be made again; they have a limit of their own
    "verdicts": 32.0,  # a few KiB for minutes
    "bases": 32.0,
}
"""How much it costs to make a thing of each kind again: one of worth 8 that was not used for
eight hours goes like one of worth 1 that was not used for an hour."""

USUAL_WORTH = 4.0
"""The worth of an entry of any other kind: seconds to make, and small."""

PATCHED = 0.25
"""Factor for the kernel of a series and its guest programs: only one file is compiled again."""

NEVER = 0.0
"""The worth of what is not evicted: results, and the state of jobs."""


@dataclass(frozen=True)
class Item:
    """A thing in the cache: its *size* in bytes of disk space that its removal frees, last use.

    *used* in seconds since the epoch; *worth*: see WORTH; *lock*: the file that its user locks;
    *kernel*: the key of the kernel that it belongs to; *first*: it goes before all others.
    """

    kind: str
    path: Path
    size: int
    used: float
    worth: float = NEVER
    lock: Path | None = None
    kernel: str = ""
    first: bool = False


@dataclass
class Book:
    """Sizes by path below the cache directory; *shared*: of files that several items link."""

    sizes: dict[str, int] = field(default_factory=dict)
    shared: int = 0

    @property
    def total(self) -> int:
        """The disk space of the cache in bytes."""
        return sum(self.sizes.values()) + self.shared


@dataclass(frozen=True)
class Stock:
    """All items of the cache, and the disk space of files that several of them link."""

    items: tuple[Item, ...]
    shared: int = 0

    @property
    def total(self) -> int:
        """The disk space of the cache in bytes."""
        return sum(item.size for item in self.items) + self.shared

    def of(self, kind: str) -> list[Item]:
        """The items of one kind, least recently used first."""
        return sorted((one for one in self.items if one.kind == kind), key=lambda one: one.used)


def measure(path: Path, leave: str = "") -> tuple[int, dict[int, int]]:
    """The disk space under *path* that its removal frees, and that of each inode with more links.

    A sparse file counts with its blocks, and a file that is gone meanwhile not at all. What begins
    with *leave* in the directory *path* itself is left out.
    """
    own, linked, places = 0, {}, [path]
    with suppress(FileNotFoundError):
        own = _blocks(path.lstat())
    while places:
        place = places.pop()
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(place) as found:
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
    """The name of *path* in the book."""
    return str(path.relative_to(cache_directory()))


@contextmanager
def open_book() -> Iterator[Book]:
    """Lock the book of sizes, read it, and write it at the end of the block.

    Who holds it is the only one that evicts.
    """
    root = cache_directory()
    with FileLock(root / BOOK_LOCK):
        book = read_book()
        yield book
        fresh = root / f"{BOOK}.new"
        with suppress(OSError):  # on a full disk: the sizes are measured again
            fresh.write_text(json.dumps({"shared": book.shared, "sizes": book.sizes}))
            fresh.replace(root / BOOK)


def read_book() -> Book:
    """The book as it was written last; an empty one if there is none."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        stored = json.loads((cache_directory() / BOOK).read_text())
        return Book(dict(stored["sizes"]), int(stored["shared"]))
    return Book()


def take_stock(book: Book, *, anew: bool = False) -> Stock:
    """List what the cache holds, and correct *book*; *anew*: measure also what has a size there."""
    root = cache_directory()
    ledger = _Ledger(root, {} if anew else book.sizes)
    found: list[Item] = []
    for path in root.iterdir():
        if path.is_symlink() or path.name.startswith(APPLICATION):
            continue  # it belongs to another cache, or ends with the guests that run now
        usual = _read_entries if path.is_dir() else _read_rest
        with suppress(FileNotFoundError):  # a directory that is removed just now
            found += _READERS.get(path.name, usual)(path, ledger)
    items = tuple(_with_kernels(found))
    book.sizes = {ledger.name(item.path): item.size for item in items}
    book.shared = sum(ledger.linked.values())
    return Stock(items, book.shared)


_LINKED = ("kernels", "initramfs", FAILURES)
"""Kinds whose files are linked by others: a failure links those of its machine."""


@dataclass
class _Ledger:
    """Sizes that are known by names below *root*, and the inodes that several items link."""

    root: Path
    known: Mapping[str, int]
    linked: dict[int, int] = field(default_factory=dict)

    def name(self, path: Path) -> str:
        """The name of *path* in the book."""
        return str(path)[len(str(self.root)) + 1 :]

    def size(self, path: Path) -> int:
        """The size of *path*: as known, unless its files may have other links by now."""
        name = self.name(path)
        if name in self.known and name.partition("/")[0] not in _LINKED:
            return self.known[name]
        own, linked = size_of(path)
        self.linked |= linked
        return own


def _read_entries(place: Path, ledger: _Ledger) -> Iterator[Item]:
    """The entries of a :class:`~harness.base.cache.Cache`, and in one item what is not an entry."""
    worth = WORTH.get(place.name, USUAL_WORTH)
    rest = 0
    for path in place.iterdir():
        if not (path / MANIFEST).is_file() or path.name.endswith(UNFINISHED):
            rest += _whole(path)  # lock files, for the most
            continue
        kernel = path.name if place.name == "kernels" else _text(path / KERNEL)
        lock = place / f"{path.name}.lock"
        yield Item(place.name, path, ledger.size(path), _time(path), worth, lock, kernel)
    if rest:
        yield Item("other", place, rest, _time(place))


def _read_workspaces(place: Path, ledger: _Ledger) -> Iterator[Item]:
    """Each build directory, and the workspace without them, which is used when they are."""
    for path in _directories(place):
        lock, used = place / f"{path.name}.lock", _time(path)
        for build in _directories(path):
            if build.name.startswith(BUILD):
                when = min(_time(build), used)
                yield Item("builds", build, ledger.size(build), when, WORTH["builds"], lock)
        yield Item("workspaces", path, ledger.size(path), used, WORTH["workspaces"], lock)


def _read_lanes(place: Path, ledger: _Ledger) -> Iterator[Item]:
    """Chroots of scripts/lane, which are leased, and locked while they are made."""
    for path in _directories(place):
        lock = place / f"{path.name}.lock"
        yield Item(place.name, path, ledger.size(path), _time(path), WORTH[place.name], lock)


def _read_failures(place: Path, ledger: _Ledger) -> Iterator[Item]:
    for path in _directories(place):
        kernel = ""
        with suppress(OSError, ValueError, KeyError, TypeError):
            kernel = Path(json.loads((path / MACHINE_RECORD).read_text())["kernel"]).name
        worth = WORTH[FAILURES]
        yield Item(FAILURES, path, ledger.size(path), _time(path), worth, None, kernel)


def _read_lists(root: Path, ledger: _Ledger) -> Iterator[Item]:
    """Package lists of apt, which have their lock inside."""
    used = max((_time(path) for path in root.iterdir()), default=0.0)
    yield Item("apt", root, ledger.size(root), used, WORTH["apt"], root / "lock")


def _read_suites(place: Path, ledger: _Ledger) -> Iterator[Item]:
    for root in _directories(place):
        yield from _read_lists(root, ledger)


def _read_directories(place: Path, ledger: _Ledger) -> Iterator[Item]:
    """Directories that their users lease."""
    for path in _directories(place):
        kernel = path.name if place.name == "coverage" else ""
        worth = WORTH[place.name]
        yield Item(place.name, path, ledger.size(path), _time(path), worth, None, kernel)


def _read_rest(path: Path, _: _Ledger) -> Iterator[Item]:
    kind = "ccache" if path.name == "ccache" else "other"
    yield Item(kind, path, _whole(path), _time(path))


_READERS: Mapping[str, Callable[[Path, _Ledger], Iterator[Item]]] = {
    "workspaces": _read_workspaces,
    FAILURES: _read_failures,
    "apt": _read_lists,
    "apt-suites": _read_suites,
    "git": _read_directories,
    "coverage": _read_directories,
    LANES: _read_lanes,
    "ccache": _read_rest,
}


def _with_kernels(items: list[Item]) -> Iterator[Item]:
    """*items* with what follows from their kernels: whether it has a series, or is gone."""
    plain = {one.kernel for one in items if one.kind == "kernels" and not _has_series(one.path)}
    failed: dict[str, float] = {}
    for one in items:
        if one.kind == FAILURES:
            failed[one.kernel] = max(one.used, failed.get(one.kernel, 0.0))
    for item in items:
        alone = item.kernel != "" and item.kernel not in plain
        if item.kind == "parked":
            yield replace(item, first=alone)
        elif item.kind == "kernels":  # a failure uses its kernel: its machine can be started again
            used = max(item.used, failed.get(item.kernel, 0.0))
            yield replace(item, used=used, worth=item.worth * (PATCHED if alone else 1))
        elif item.kind == "initramfs":
            yield replace(item, worth=item.worth * (PATCHED if alone else 1))
        else:
            yield item


def _has_series(kernel: Path) -> bool:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return bool(json.loads((kernel / KERNEL_RECORD).read_text())["series"])
    return False


def _directories(place: Path) -> list[Path]:
    return sorted(path for path in place.iterdir() if path.is_dir() and not path.is_symlink())


def _whole(path: Path) -> int:
    own, linked = measure(path)
    return own + sum(linked.values())


def _blocks(status: os.stat_result) -> int:
    return status.st_blocks * 512  # stat(2): units of 512 bytes, whatever the file system


def _time(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text().strip()
    return ""
