# SPDX-License-Identifier: Apache-2.0
"""What a person's prune removes, and that it leaves no half of anything."""

import subprocess
from pathlib import Path

import pytest
from cache_entries import DAY, add, held

from harness.base.cache import Cache
from harness.base.cache.evict import (
    added,
    discard,
    prune,
)
from harness.base.cache.layout import TRASH
from harness.base.space import KIB, MIB

pytestmark = pytest.mark.usefixtures("cache")


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


def test_what_is_being_built_stays() -> None:
    entry = add("things", "busy", age=DAY)
    with Cache("things").lock("busy"):
        assert prune(0, 0) == []
    assert entry.is_dir()


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
