# SPDX-License-Identifier: Apache-2.0
"""Keep the cache within its budget: least recently used first, never what is in use.

::

    added(path)            after something was added to the cache, or has grown
    growing(directory)     while something is put into a directory that stays
    keep_within_budget()   after what was in use is not any more
    prune(...)             what a person asks for
    evict(...)             which items go, in which order

An item that is locked or leased stays. A directory is moved to the trash of the cache before it is
deleted, so a kill at any time leaves whole items, and trash for the next call.
"""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from harness.base.cache.budget import CCACHE_SHARE, FAILURES_SHARE, VARIABLE, cache_budget
from harness.base.cache.inventory import Inventory, Item, take_inventory
from harness.base.cache.kinds import kind_of
from harness.base.cache.layout import FAILURES, LANES, TRASH, UNFINISHED
from harness.base.cache.lease import lease, unleased
from harness.base.cache.usage import Usage, name_of, open_usage, read_usage, size_of
from harness.base.errors import ToolError
from harness.base.paths import cache_directory
from harness.base.progress import say
from harness.base.space import KIB, size_text
from harness.base.tools import run_tool

SLACK = 20
"""An eviction also frees one of so many parts of the budget, so that not every addition evicts."""

MOST_FAILURES = 100
"""Most kept failures; the oldest are removed."""

FAILURE_AGE = 30 * 24 * 3600.0
"""Seconds after which a kept failure is removed."""

_said: set[str] = set()


def order(items: Iterable[Item], now: float) -> list[Item]:
    """The items that may be evicted, in order: parked guests of patched kernels, then by last use.

    *now* in seconds since the epoch. The time since the last use is divided by the worth.
    """
    may = (one for one in items if one.worth > 0)
    return sorted(may, key=lambda one: (not one.first, (one.used - now) / one.worth))


def evict(
    items: Iterable[Item], excess: int, now: float, remove: Callable[[Item], bool]
) -> Iterator[Item]:
    """Evict items in their order until *excess* bytes are free; yield those that *remove* removed.

    *remove* returns False for an item that is in use.
    """
    for item in order(items, now):
        if excess <= 0:
            return
        if remove(item):
            excess -= item.size
            yield item


def overdue(failures: Sequence[Item], budget: int, now: float) -> list[Item]:
    """Those of *failures*, oldest first, that are too old, too many, or too large together."""
    size, beyond = sum(one.size for one in failures), []
    for number, one in enumerate(failures):
        many = len(failures) - number > MOST_FAILURES or size > budget // FAILURES_SHARE
        if many or now - one.used > FAILURE_AGE:
            beyond.append(one)
            size -= one.size
    return beyond


def added(*paths: Path) -> None:
    """Note that *paths* are new in the cache, or have grown; evict others if that is too much.

    Looks at *paths* alone while the cache is within its budget, and not at those outside the cache.
    An eviction that fails is said, and ends nothing: what was added is there. Raises InputError for
    a wrong ``HARNESS_CACHE_SIZE``.
    """
    try:
        _make_room(paths)
    except (OSError, ToolError) as fault:
        say(f"cache: cannot evict: {fault}. 'harness cache' shows what takes how much")


def _make_room(paths: Sequence[Path]) -> None:
    root = cache_directory()
    paths = tuple(path for path in paths if path.is_relative_to(root))
    with open_usage() as usage:
        known = bool(usage.sizes)
        usage.sizes |= {name_of(path): size_of(path)[0] for path in paths}
        budget = cache_budget(usage.total)
        if known and usage.total <= budget and all(path.parent.name != FAILURES for path in paths):
            return
        _clean()
        inventory = take_inventory(usage)
        _limit_ccache(inventory, budget)
        old = overdue(inventory.of(FAILURES), budget, time.time())
        if not [one for one in old if _remove(one)] and inventory.total <= budget:
            return
        for item in _shrink(usage, budget - budget // SLACK):
            if kind_of(item.kind).slow:
                say(f"cache: evicted {name_of(item.path)}, to stay within {size_text(budget)}")
        if usage.total > budget and not _said:
            _said.add(VARIABLE)
            say(
                f"cache: what is in use takes {size_text(usage.total)}, more than "
                f"{size_text(budget)} ({VARIABLE})"
            )


@contextmanager
def growing(directory: Path) -> Iterator[Path]:
    """Make *directory* of the cache if it is not there; it is leased, used now and may grow.

    If the block raises, the growth is noted by a later call.
    """
    directory.mkdir(parents=True, exist_ok=True)
    while not lease(directory):  # it was evicted between the two
        directory.mkdir(parents=True, exist_ok=True)
    yield directory
    os.utime(directory)
    added(directory)


def keep_within_budget() -> None:
    """Evict if the cache is too large: what was added and in use then may go now.

    Measures the chroots of scripts/lane, which grow while nobody says so.
    """
    added(*(cache_directory() / LANES).glob("*/"))


def prune(
    to: int | None = None, older: float | None = None, *, dry_run: bool = False
) -> list[Item]:
    """Evict until the cache takes *to* bytes, by default its budget; return what was evicted.

    First goes everything that was not used for *older* seconds. With *dry_run* nothing is evicted.
    """
    remove = _is_free if dry_run else _remove
    with open_usage() as usage:
        if not dry_run:
            _clean()
        inventory = take_inventory(usage, anew=True)
        budget, now = cache_budget(inventory.total), time.time()
        target = budget if to is None else to
        gone = _prune_ccache(inventory, target, older, dry_run)
        limit = now - older if older is not None else float("-inf")
        unused = order((one for one in inventory.items if one.used < limit), now)
        for item in dict.fromkeys((*overdue(inventory.of(FAILURES), budget, now), *unused)):
            if remove(item):
                gone.append(item)
        if dry_run:
            left = [one for one in inventory.items if one not in gone]
            excess = inventory.total - sum(one.size for one in gone) - target
            gone += evict(left, excess, now, remove)
        else:
            gone += _shrink(usage, target)
    return gone


def ccache_environment() -> dict[str, str]:
    """The directory of ccache and its limit, as variables of its environment."""
    limit = cache_budget(read_usage().total) // CCACHE_SHARE
    return _ccache(limit)


def discard(path: Path, but: Path | None = None) -> None:
    """Delete *path*, or all in it *but* one file, so that no kill leaves half of it."""
    trash = cache_directory() / TRASH
    trash.mkdir(exist_ok=True)
    for one in [path] if but is None else [one for one in path.iterdir() if one != but]:
        place = trash / uuid4().hex
        try:
            one.rename(place)
        except FileNotFoundError:  # the trash stays, so it is *one* that is gone
            continue
        except OSError as fault:  # with a mount in it (EBUSY) it stays
            if fault.errno != errno.EXDEV:
                raise
            place = one
        _delete(place)


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sweep(place: Path) -> None:
    """Remove unfinished entries of killed runs in *place*, but none that is built now."""
    for fresh in place.glob(f"*{UNFINISHED}"):
        lock = FileLock(place / f"{fresh.name.removesuffix(UNFINISHED)}.lock")
        with suppress(Timeout), lock.acquire(timeout=0):
            shutil.rmtree(fresh, ignore_errors=True)


def _shrink(usage: Usage, target: int) -> Iterator[Item]:
    """Evict until the cache takes *target* bytes, or all of it is in use; yield what went.

    Lists the cache after each round: a file of a kernel is freed with the last failure that links
    it.
    """
    gone: set[Path] = set()
    while True:
        inventory = take_inventory(usage)
        left = (one for one in inventory.items if one.path not in gone)
        removed = list(evict(left, inventory.total - target, time.time(), _remove))
        if not removed:
            return
        yield from removed
        gone |= {one.path for one in removed}


def _remove(item: Item) -> bool:
    """Delete *item* unless it is in use, or the file system does not let it go."""
    with suppress(OSError), _held(item) as free:
        if free:
            inside = item.lock if item.lock and item.lock.parent == item.path else None
            discard(item.path, inside)
        return free
    return False


def _is_free(item: Item) -> bool:
    with _held(item) as free:
        return free


@contextmanager
def _held(item: Item) -> Iterator[bool]:
    """Whether *item* is not in use; no process can use it during the block."""
    with ExitStack() as stack:
        if item.lock is not None:
            try:
                stack.enter_context(FileLock(item.lock).acquire(timeout=0))
            except Timeout:
                yield False
                return
        yield stack.enter_context(unleased(item.path))


def _clean() -> None:
    """Delete what killed runs left."""
    root = cache_directory()
    for path in (root / TRASH).glob("*"):
        _delete(path)
    for place in root.iterdir():
        if place.is_dir() and not place.is_symlink():
            sweep(place)


def _limit_ccache(inventory: Inventory, budget: int) -> int:
    """Have ccache drop its oldest objects if it takes more than its share; return bytes freed."""
    for item in inventory.of("ccache"):
        limit = budget // CCACHE_SHARE
        if item.size > limit + limit // SLACK and shutil.which("ccache"):
            words = ("--cleanup",) if limit else ("--clear",)
            run_tool(("ccache", *words), env={**os.environ, **_ccache(limit)})
            return max(0, item.size - size_of(item.path)[0])
    return 0


def _prune_ccache(
    inventory: Inventory, target: int, older: float | None, dry_run: bool
) -> list[Item]:
    """The same for :func:`prune`; the item says how much was, or would be, freed."""
    for item in inventory.of("ccache"):
        if dry_run:
            freed = max(0, item.size - target // CCACHE_SHARE)
        else:
            if older is not None and shutil.which("ccache"):
                words = ("ccache", "--evict-older-than", f"{int(older)}s")
                run_tool(words, env={**os.environ, **_ccache(item.size)})
            freed = max(_limit_ccache(inventory, target), item.size - size_of(item.path)[0])
        if freed > 0:
            return [replace(item, size=freed)]
    return []


def _ccache(limit: int) -> dict[str, str]:
    # ccache reads a bare number as GB, and 0 as no limit (ccache 4.7, manual, "max_size")
    kib = f"{max(1, limit // KIB)}Ki"
    return {"CCACHE_DIR": str(cache_directory() / "ccache"), "CCACHE_MAXSIZE": kib}
