# SPDX-License-Identifier: Apache-2.0
"""What the cache holds: each thing that can be evicted by itself, its disk space and last use."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.base.cache.kinds import NEVER, kind_of
from harness.base.cache.layout import (
    BUILD,
    FAILURES,
    KERNEL,
    KERNEL_RECORD,
    LANES,
    MACHINE_RECORD,
    MANIFEST,
    UNFINISHED,
)
from harness.base.cache.usage import Usage, measure, size_of
from harness.base.paths import APPLICATION, cache_directory

PATCHED = 0.25
"""Factor for the kernel of a series and its guest programs: only one file is compiled again."""


@dataclass(frozen=True)
class Item:
    """A thing in the cache: its *size* in bytes of disk space that its removal frees, last use.

    *used* in seconds since the epoch; *worth* as in :class:`Kind`; *lock*: the file that its user
    locks; *kernel*: the key of the kernel that it belongs to; *first*: it goes before all others.
    """

    kind: str
    path: Path
    size: int
    used: float
    worth: float = NEVER
    lock: Path | None = None
    kernel: str = ""
    first: bool = False


@dataclass(frozen=True)
class Inventory:
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


def take_inventory(usage: Usage, *, anew: bool = False) -> Inventory:
    """List what the cache holds, and correct *usage*.

    *anew*: also measure what has a size there.
    """
    root = cache_directory()
    sizes = _Sizes(root, {} if anew else usage.sizes)
    found: list[Item] = []
    for path in root.iterdir():
        if path.is_symlink() or path.name.startswith(APPLICATION):
            continue  # it belongs to another cache, or ends with the guests that run now
        usual = _read_entries if path.is_dir() else _read_rest
        with suppress(FileNotFoundError):  # a directory that is removed just now
            found += _READERS.get(path.name, usual)(path, sizes)
    items = tuple(_with_kernels(found))
    usage.sizes = {sizes.name(item.path): item.size for item in items}
    usage.shared = sum(sizes.linked.values())
    return Inventory(items, usage.shared)


@dataclass
class _Sizes:
    """Sizes that are known by names below *root*, and the inodes that several items link."""

    root: Path
    known: Mapping[str, int]
    linked: dict[int, int] = field(default_factory=dict)

    def name(self, path: Path) -> str:
        """The name of *path* in the file of sizes."""
        return str(path)[len(str(self.root)) + 1 :]

    def size(self, path: Path) -> int:
        """The size of *path*: as known, unless its files may have other links by now."""
        name = self.name(path)
        if name in self.known and not kind_of(name.partition("/")[0]).linked:
            return self.known[name]
        own, linked = size_of(path)
        self.linked |= linked
        return own


def _read_entries(place: Path, sizes: _Sizes) -> Iterator[Item]:
    """The entries of a :class:`~harness.base.cache.Cache`, and in one item what is not an entry."""
    worth = kind_of(place.name).worth
    rest = 0
    for path in place.iterdir():
        if not (path / MANIFEST).is_file() or path.name.endswith(UNFINISHED):
            rest += _whole(path)  # lock files, for the most
            continue
        kernel = path.name if place.name == "kernels" else _text(path / KERNEL)
        lock = place / f"{path.name}.lock"
        yield Item(place.name, path, sizes.size(path), _time(path), worth, lock, kernel)
    if rest:
        yield Item("other", place, rest, _time(place))


def _read_workspaces(place: Path, sizes: _Sizes) -> Iterator[Item]:
    """Each build directory, and the workspace without them, which is used when they are."""
    for path in _directories(place):
        lock, used = place / f"{path.name}.lock", _time(path)
        for build in _directories(path):
            if build.name.startswith(BUILD):
                when = min(_time(build), used)
                yield Item("builds", build, sizes.size(build), when, kind_of("builds").worth, lock)
        yield Item("workspaces", path, sizes.size(path), used, kind_of("workspaces").worth, lock)


def _read_lanes(place: Path, sizes: _Sizes) -> Iterator[Item]:
    """Chroots of scripts/lane, which are leased, and locked while they are made."""
    for path in _directories(place):
        lock = place / f"{path.name}.lock"
        yield Item(place.name, path, sizes.size(path), _time(path), kind_of(place.name).worth, lock)


def _read_failures(place: Path, sizes: _Sizes) -> Iterator[Item]:
    for path in _directories(place):
        kernel = ""
        with suppress(OSError, ValueError, KeyError, TypeError):
            kernel = Path(json.loads((path / MACHINE_RECORD).read_text())["kernel"]).name
        worth = kind_of(FAILURES).worth
        yield Item(FAILURES, path, sizes.size(path), _time(path), worth, None, kernel)


def _read_lists(root: Path, sizes: _Sizes) -> Iterator[Item]:
    """Package lists of apt, which have their lock inside."""
    used = max((_time(path) for path in root.iterdir()), default=0.0)
    yield Item("apt", root, sizes.size(root), used, kind_of("apt").worth, root / "lock")


def _read_suites(place: Path, sizes: _Sizes) -> Iterator[Item]:
    for root in _directories(place):
        yield from _read_lists(root, sizes)


def _read_directories(place: Path, sizes: _Sizes) -> Iterator[Item]:
    """Directories that their users lease."""
    for path in _directories(place):
        kernel = path.name if place.name == "coverage" else ""
        worth = kind_of(place.name).worth
        yield Item(place.name, path, sizes.size(path), _time(path), worth, None, kernel)


def _read_rest(path: Path, _: _Sizes) -> Iterator[Item]:
    kind = "ccache" if path.name == "ccache" else "other"
    yield Item(kind, path, _whole(path), _time(path))


_READERS: Mapping[str, Callable[[Path, _Sizes], Iterator[Item]]] = {
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
        elif item.kind in ("kernels", "initramfs"):  # a failure uses both: `harness debug`
            used = max(item.used, failed.get(item.kernel, 0.0))
            yield replace(item, used=used, worth=item.worth * (PATCHED if alone else 1))
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


def _time(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _text(path: Path) -> str:
    with suppress(OSError):
        return path.read_text().strip()
    return ""
