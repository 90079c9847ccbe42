# SPDX-License-Identifier: Apache-2.0
"""An error of a disk names the file system, how full it is, and how to make room."""

import errno
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.base.disk import cannot_write, require_not_full, write_whole, writing
from harness.base.errors import HostError
from harness.base.space import MIB


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Free bytes of a directory by its name; a GiB elsewhere."""
    sizes: dict[str, int] = {}

    def usage(place: Path) -> SimpleNamespace:
        return SimpleNamespace(free=sizes.get(Path(place).name, 1 << 30), total=1 << 31)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    return sizes


def full(*names: str) -> OSError:
    said = os.strerror(errno.ENOSPC)
    return OSError(errno.ENOSPC, said, names[0], None, names[1]) if names else OSError(28, said)


def test_the_file_system_is_named_with_its_room(free: dict[str, int], tmp_path: Path) -> None:
    mount = next(one for one in (tmp_path, *tmp_path.parents) if one.is_mount())
    free[mount.name] = 3 * MIB

    text = str(cannot_write("a log", tmp_path, full()))

    assert text.startswith("cannot write a log: no space left on device (the file system at ")
    assert f"at {mount}, 3 of 2048 MiB free)" in text
    assert text.count("HARNESS_") == 2


def test_of_a_copy_the_second_file_is_written() -> None:
    text = str(cannot_write("a log", Path("/"), full("/", "/proc/self/none")))

    assert "(the file system at /proc" in text


def test_only_faults_of_the_disk_are_the_hosts(tmp_path: Path) -> None:
    with pytest.raises(HostError), writing("a log", tmp_path):
        raise full()
    with pytest.raises(FileNotFoundError), writing("a log", tmp_path):
        (tmp_path / "none").read_text()


def test_a_program_that_failed_beside_a_full_disk_is_not_to_blame(
    free: dict[str, int], tmp_path: Path
) -> None:
    places = [tmp_path / "one", tmp_path / "two"]
    for place in places:
        place.mkdir()
    require_not_full("objects", places, "undefined reference")

    with pytest.raises(HostError, match="cannot write objects"):
        require_not_full("objects", places, "cc1: error: No space left on device")
    free["two"] = 1000
    with pytest.raises(HostError, match="cannot write objects"):
        require_not_full("objects", places)


def test_room_helps_only_a_full_disk(tmp_path: Path) -> None:
    denied = OSError(errno.EROFS, os.strerror(errno.EROFS))

    text = str(cannot_write("a log", tmp_path, denied))

    assert "Free space" not in text
    assert ". Name another directory: HARNESS_RUN" in text


def test_processes_that_write_the_same_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "counts.json"
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(write_whole, [path] * 400, ["x" * 5000] * 400))

    assert path.read_text() == "x" * 5000
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text("old")

    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \udc80")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
