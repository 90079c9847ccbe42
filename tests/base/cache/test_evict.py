# SPDX-License-Identifier: Apache-2.0
"""The cache stays within its budget: what an addition evicts, and what stays."""

import os
from pathlib import Path

import pytest
from cache_entries import DAY, add, filled, held
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.base.cache import Cache
from harness.base.cache.budget import VARIABLE
from harness.base.cache.evict import (
    growing,
    keep_within_budget,
    prune,
)
from harness.base.cache.inventory import take_inventory
from harness.base.cache.layout import LANES, MANIFEST
from harness.base.cache.lease import leases
from harness.base.cache.usage import Usage, open_usage
from harness.base.space import KIB, MIB

pytestmark = pytest.mark.usefixtures("cache")


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
