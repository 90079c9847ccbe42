# SPDX-License-Identifier: Apache-2.0
"""Cache entries are built once, whole or not at all, and are checked when they are read."""

from pathlib import Path

import pytest
from filelock import Timeout

from harness.base.cache import Cache, digest
from harness.base.cache.evict import sweep
from harness.base.cache.layout import MANIFEST


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return Cache("things")


def write_hello(directory: Path) -> None:
    (directory / "file").write_text("hello")


def refuse(_: Path) -> None:
    raise AssertionError("built a second time")


def test_entry_is_built_once(cache: Cache) -> None:
    first = cache.get("key", write_hello)
    assert cache.get("key", refuse) == first


def test_changed_file_makes_the_entry_be_built_anew(cache: Cache) -> None:
    (cache.get("key", write_hello) / "file").write_text("hellO")
    assert (cache.get("key", write_hello) / "file").read_text() == "hello"


def test_damaged_entry_is_announced_in_one_line(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("harness.base.cache.entries.say", said.append)
    (cache.get("key", write_hello) / "file").unlink()
    cache.get("key", write_hello)
    assert said == ["cache: things/key is damaged (file is missing); building it again"]


def test_entry_with_a_cut_manifest_is_built_anew(cache: Cache) -> None:
    (cache.get("key", write_hello) / MANIFEST).write_text('{"file": ')
    assert (cache.get("key", write_hello) / "file").read_text() == "hello"


def test_failed_build_leaves_nothing(cache: Cache) -> None:
    def fail(directory: Path) -> None:
        write_hello(directory)
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        cache.get("key", fail)
    assert [path.name for path in cache.root.iterdir() if path.is_dir()] == []


def test_rest_of_a_killed_build_is_thrown_away(cache: Cache) -> None:
    (cache.root / "key.building").mkdir()
    (cache.root / "key.building" / "half").touch()
    entry = cache.get("key", write_hello)
    assert sorted(path.name for path in entry.iterdir()) == ["file", MANIFEST]


def test_entry_is_locked_while_it_is_built(cache: Cache) -> None:
    def build(_: Path) -> None:
        with pytest.raises(Timeout):
            cache.lock("key").acquire(timeout=0)

    cache.get("key", build)


def test_removed_entry_is_gone(cache: Cache) -> None:
    cache.get("key", write_hello)
    cache.remove("key")
    assert cache.find("key") is None


def test_digest_keeps_its_parts_apart() -> None:
    assert digest("ab", "c") != digest("a", "bc")


def test_digest_of_a_path_is_that_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert digest(tmp_path / "file") == digest(b"content")


def test_sweep_removes_what_a_killed_run_left(cache: Cache) -> None:
    (cache.root / "key.building").mkdir()
    sweep(cache.root)
    assert not (cache.root / "key.building").exists()


def test_sweep_keeps_what_is_being_built(cache: Cache) -> None:
    (cache.root / "key.building").mkdir()
    with cache.lock("key"):
        sweep(cache.root)
