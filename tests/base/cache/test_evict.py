# SPDX-License-Identifier: Apache-2.0
"""The cache stays within its budget: what goes, in which order, and what never goes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.base.cache import Cache
from harness.base.cache.budget import VARIABLE
from harness.base.cache.evict import (
    FAILURE_AGE,
    MOST_FAILURES,
    added,
    discard,
    evict,
    growing,
    keep_within_budget,
    order,
    overdue,
    prune,
)
from harness.base.cache.inventory import NEVER, WORTH, Item, take_inventory
from harness.base.cache.layout import FAILURES, KERNEL, LANES, MANIFEST, TRASH
from harness.base.cache.lease import lease, leases
from harness.base.cache.usage import Usage, open_usage
from harness.base.space import KIB, MIB
from harness.suite.lib.small_disk import can_mount, python_on_small_disk

NOW = 10_000.0
DAY = 24 * 3600.0

ITEMS = st.lists(
    st.builds(
        Item,
        kind=st.just("things"),
        path=st.uuids().map(lambda name: Path("/cache") / str(name)),
        size=st.integers(0, 100),
        used=st.integers(0, int(NOW)).map(float),
        worth=st.sampled_from([NEVER, 1.0, 4.0, 8.0]),
        first=st.booleans(),
    ),
    max_size=20,
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    directory = tmp_path / "cache"
    directory.mkdir()
    monkeypatch.setenv("HARNESS_CACHE", str(directory))
    monkeypatch.setenv(VARIABLE, "1G")
    return directory


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is said about evictions, and nothing of it was said before."""
    lines: list[str] = []
    monkeypatch.setattr("harness.base.cache.evict.say", lines.append)
    monkeypatch.setattr("harness.base.cache.evict._said", set())
    return lines


def filled(size: int, kernel: str = "") -> Callable[[Path], None]:
    """Fill an entry with *size* bytes."""

    def fill(directory: Path) -> None:
        (directory / "data").write_bytes(os.urandom(size))
        if kernel:
            (directory / KERNEL).write_text(kernel)

    return fill


def add(kind: str, key: str, size: int = 100 * KIB, age: float = 0, kernel: str = "") -> Path:
    """An entry that was used *age* seconds ago, and that nobody uses now."""
    with leases():
        entry = Cache(kind).get(key, filled(size, kernel))
    os.utime(entry, (time.time() - age,) * 2)
    return entry


def held() -> int:
    return take_inventory(Usage()).total


@settings(deadline=None)
@given(items=ITEMS, excess=st.integers(-50, 1500), data=st.data())
def test_what_is_evicted_is_enough_no_more_and_in_order(
    items: list[Item], excess: int, data: st.DataObject
) -> None:
    busy = data.draw(st.sets(st.sampled_from(items))) if items else set()

    gone = list(evict(items, excess, NOW, lambda one: one not in busy))

    may = [one for one in order(items, NOW) if one not in busy]
    freed = sum(one.size for one in gone)
    assert gone == may[: len(gone)]
    assert freed >= excess or gone == may
    assert not gone or freed - gone[-1].size < excess


@settings(deadline=None)
@given(items=ITEMS)
def test_the_order_is_parked_guests_of_patched_kernels_then_last_use(items: list[Item]) -> None:
    ordered = order(items, NOW)

    assert {one.path for one in ordered} == {one.path for one in items if one.worth != NEVER}
    assert [one.first for one in ordered] == sorted((one.first for one in ordered), reverse=True)
    for worth in {one.worth for one in ordered}:
        for first in (False, True):
            used = [one.used for one in ordered if (one.worth, one.first) == (worth, first)]
            assert used == sorted(used)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["parked", "kernels", "things"]),
            st.integers(0, 12).map(str),
            st.integers(1, 300),
            st.booleans(),
        ),
        max_size=25,
    )
)
def test_after_each_addition_only_what_is_in_use_exceeds_the_budget(
    steps: list[tuple[str, str, int, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = MIB
    monkeypatch.setenv(VARIABLE, str(budget))
    prune(0, 0)
    with leases():
        used: set[Path] = set()
        last: Path | None = None  # the last addition was in use when it was added
        for kind, key, size, stays in steps:
            entry = Cache(kind).root / key
            last = last if entry.is_dir() else entry
            if stays:
                used.add(Cache(kind).get(key, filled(size * KIB)))
            else:
                with leases():
                    Cache(kind).get(key, filled(size * KIB))
            assert all((path / MANIFEST).is_file() for path in used)
            inventory = take_inventory(Usage())
            evictable = [one for one in inventory.items if one.worth and one.path not in used]
            assert inventory.total <= budget or [one.path for one in evictable] in ([], [last])


def test_the_oldest_go_until_the_cache_is_well_within_its_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "1M")
    old = add("things", "old", 12 * KIB, age=100)  # enough for the budget, but not well within it
    newer = add("things", "newer", 60 * KIB, age=50)
    newest = add("things", "newest", 940 * KIB)

    assert [path.is_dir() for path in (old, newer, newest)] == [False, False, True]
    assert held() <= MIB * 19 // 20


def test_parked_guests_of_patched_kernels_go_before_older_things(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "1M")
    kernel = add("things", "kernel", 400 * KIB, age=DAY)
    parked = add("parked", "parked", 400 * KIB, kernel="patched")
    add("things", "new", 400 * KIB)

    assert (kernel.is_dir(), parked.is_dir()) == (True, False)


def test_what_takes_minutes_outlives_what_takes_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "1M")
    kernel = add("kernels", "plain", 400 * KIB, age=7 * 3600)
    parked = add("parked", "parked", 400 * KIB, age=3600)
    add("things", "new", 400 * KIB)

    assert (kernel.is_dir(), parked.is_dir()) == (True, False)


def test_what_is_in_use_stays_and_that_is_said_once(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "256K")
    entries = [Cache("things").get(key, filled(200 * KIB)) for key in "abc"]

    assert all(path.is_dir() for path in entries)
    assert said == [said[0]]
    assert said[0].startswith("cache: what is in use takes ")


def test_what_was_in_use_goes_when_it_is_not_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "256K")
    with leases():
        entries = [Cache("things").get(key, filled(100 * KIB)) for key in "abc"]
    assert held() > 256 * KIB

    keep_within_budget()

    assert [path.is_dir() for path in entries] == [False, True, True]
    assert held() <= 256 * KIB


def test_a_chroot_that_grew_is_measured_at_the_end_of_a_session(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1M")
    lane = cache / LANES / "trixie"
    lane.mkdir(parents=True)
    old = add("things", "old", 400 * KIB, age=DAY)
    (lane / "file").write_bytes(os.urandom(800 * KIB))

    keep_within_budget()

    assert (lane.is_dir(), old.is_dir()) == (True, False)


def test_what_is_being_built_stays() -> None:
    entry = add("things", "busy", age=DAY)
    with Cache("things").lock("busy"):
        assert prune(0, 0) == []
    assert entry.is_dir()


def test_the_eviction_of_a_kernel_is_said(monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    monkeypatch.setenv(VARIABLE, "512K")
    add("kernels", "old", 400 * KIB, age=DAY)
    add("kernels", "new", 400 * KIB)

    assert said == ["cache: evicted kernels/old, to stay within 512 KiB"]


def test_within_the_budget_nothing_else_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add("parked", "first")
    monkeypatch.setattr(
        "harness.base.cache.evict.take_inventory", lambda *_: pytest.fail("took inventory")
    )

    add("parked", "second")


def test_an_eviction_that_fails_is_said_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "lanes/trixie/root")

    monkeypatch.setattr("harness.base.cache.evict.take_inventory", fail)

    entry = add("parked", "first")

    assert entry.is_dir()
    assert [line for line in said if "cannot evict" in line and "lanes/trixie/root" in line]


def test_a_workspace_goes_after_its_builds_and_not_while_it_is_locked(cache: Path) -> None:
    workspace = cache / "workspaces" / "debian"
    for name in ("build-a", "src"):
        (workspace / name).mkdir(parents=True)
        (workspace / name / "file").write_bytes(b"x" * MIB)
    with (cache / "workspaces" / "debian.lock").open("w") as lock:
        subprocess.run(["flock", "-n", str(lock.fileno())], pass_fds=[lock.fileno()], check=True)
        assert prune(0, 0) == []
    added(workspace)

    gone = prune(0)

    assert [one.path.name for one in gone] == ["build-a", "debian"]
    assert not workspace.exists()


def test_package_lists_go_but_not_their_lock(cache: Path) -> None:
    (cache / "apt" / "lists").mkdir(parents=True)
    for name in ("lists/main", "lock", "refreshed"):
        (cache / "apt" / name).write_text("x")

    prune(0)

    assert [path.name for path in (cache / "apt").iterdir()] == ["lock"]


def failures(cache: Path, number: int, size: int = 10 * KIB, age: float = 0) -> list[Path]:
    """Failures, the first the oldest."""
    made = []
    for one in range(number):
        directory = cache / FAILURES / f"failure-{age}-{one}"
        directory.mkdir(parents=True)
        (directory / "memory.elf").write_bytes(os.urandom(size))
        os.utime(directory, (time.time() - age - number + one,) * 2)
        made.append(directory)
    return made


def test_a_directory_that_grows_is_made_held_and_measured(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = cache / "git" / "history"
    monkeypatch.setenv(VARIABLE, "0")
    with growing(place) as directory:
        (directory / "objects").write_bytes(b"a" * MIB)
        keep_within_budget()
        assert directory == place
        assert (place / "objects").exists()
    with open_usage() as usage:
        assert usage.sizes["git/history"] >= MIB


def test_a_directory_that_is_evicted_before_it_is_leased_is_made_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = cache / "git" / "history"
    answers = iter((False, True))

    def evicted_once(directory: Path) -> bool:
        if not (answer := next(answers)):
            directory.rmdir()
        return answer

    monkeypatch.setattr("harness.base.cache.evict.lease", evicted_once)
    with growing(place):
        assert place.is_dir()


def test_failures_have_an_eighth_of_the_budget(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1M")
    made = failures(cache, 10, 24 * KIB)

    added(made[-1])

    assert [path.is_dir() for path in made] == [False] * 6 + [True] * 4


def test_an_old_failure_goes(cache: Path) -> None:
    (old,) = failures(cache, 1, age=FAILURE_AGE)
    (new,) = failures(cache, 1, age=FAILURE_AGE - DAY)

    added(new)

    assert [path.is_dir() for path in (old, new)] == [False, True]


def test_the_oldest_of_too_many_failures_goes(cache: Path) -> None:
    made = failures(cache, MOST_FAILURES + 1, 0)

    added(made[-1])

    assert [path.is_dir() for path in made[:2]] == [False, True]


def test_a_failure_that_somebody_looks_at_stays(cache: Path) -> None:
    (old,) = failures(cache, 1, age=FAILURE_AGE)
    lease(old)

    added(old)

    assert old.is_dir()


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 100), max_size=20), budget=st.integers(0, 2000))
def test_the_failures_that_are_left_are_the_newest_and_few_enough(
    sizes: list[int], budget: int
) -> None:
    made = [Item(FAILURES, Path(str(n)), size, float(n)) for n, size in enumerate(sizes)]

    gone = overdue(made, budget, len(sizes))

    assert gone == made[: len(gone)]
    assert sum(one.size for one in made[len(gone) :]) <= budget // 8


def test_prune_by_age_leaves_what_was_used_since() -> None:
    old, new = add("things", "old", age=8 * DAY), add("things", "new", age=6 * DAY)

    assert [one.path for one in prune(None, 7 * DAY)] == [old]
    assert new.is_dir()


def test_prune_to_a_size_removes_no_more_than_it_must() -> None:
    made = [add("things", str(n), 100 * KIB, age=100 - n) for n in range(5)]

    gone = prune(held() - 150 * KIB)

    assert [one.path for one in gone] == made[:2]


@pytest.mark.parametrize("words", [(0, None), (None, 0.0), (300 * KIB, None)])
def test_a_dry_run_says_what_would_go(words: tuple[int | None, float | None]) -> None:
    for n in range(5):
        add("things", str(n), age=100 - n)
    before = held()

    planned = prune(*words, dry_run=True)

    assert held() == before
    assert [one.path for one in prune(*words)] == [one.path for one in planned]


def test_a_directory_is_whole_until_it_is_in_the_trash(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    entry = add("things", "entry")
    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", kill)
        with pytest.raises(KeyboardInterrupt):
            discard(entry)
    assert not entry.exists()
    assert list((cache / TRASH).iterdir())

    prune()

    assert not list((cache / TRASH).iterdir())


ADDER = """
import os, sys
from harness.base.cache import Cache
from harness.base.cache.lease import leases
number = 0
while True:
    number += 1
    with leases():
        key = f"{sys.argv[1]}-{number % 7}"
        entry = Cache("things").get(key, lambda one: (one / "data").write_bytes(os.urandom(60000)))
        assert len((entry / "data").read_bytes()) == 60000, key
    print(number, flush=True)
"""


def start_adder(name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", ADDER, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )


def wait_for(adder: subprocess.Popen[bytes], additions: int) -> None:
    assert adder.stdout is not None
    for _ in range(additions):
        assert adder.stdout.readline(), adder.stderr and adder.stderr.read().decode()


def test_runs_that_evict_at_once_and_are_killed_leave_whole_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "600K")
    for round_ in range(2):
        adders = [start_adder(f"{name}{round_ % 2}") for name in "abc"]
        for adder in adders:
            wait_for(adder, 15 + round_)
        for adder in adders:
            adder.kill()
            _, told = adder.communicate()
            assert b"damaged" not in told, told
            assert b"Error" not in told, told

    add("things", "last")

    found = [path for path in Cache("things").root.iterdir() if path.is_dir()]
    for entry in found:
        sums = json.loads((entry / MANIFEST).read_text())
        assert {*sums, MANIFEST} == {path.name for path in entry.iterdir()}
    assert held() <= 600 * KIB
    assert found


FILL = """
import os
from harness.base.cache import Cache
from harness.base.cache.lease import leases
from harness.base.cache.usage import Usage, open_usage
from harness.base.cache.inventory import take_inventory
for number in range(60):
    with leases():
        Cache("things").get(str(number), lambda one: (one / "data").write_bytes(os.urandom(200000)))
    print(take_inventory(Usage()).total)
"""


@pytest.mark.skipif(not can_mount(), reason="this user may not mount in a namespace")
def test_a_small_disk_is_filled_by_a_third(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    env = {**os.environ, "PYTHONPATH": ":".join(sys.path)}

    done = python_on_small_disk("6M", cache, FILL, env)

    sizes = [int(line) for line in done.stdout.split()]
    assert len(sizes) == 60
    assert MIB < max(sizes) <= 2 * MIB


def test_each_kind_of_a_cache_has_its_worth() -> None:
    assert WORTH["parked"] < WORTH["builds"] < WORTH["kernels"] < WORTH[FAILURES]
