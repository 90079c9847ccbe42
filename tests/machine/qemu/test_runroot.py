# SPDX-License-Identifier: Apache-2.0
"""Run directories are made in the first place that has room for all guests of a run."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.base.errors import HostError
from harness.base.space import MIB
from harness.machine.qemu import runroot
from harness.machine.qemu.runroot import (
    OVERRIDE,
    RUN_SIZE,
    choose_run_root,
    keep_run_root,
    run_roots,
)
from harness.suite.lib.small_disk import can_mount, python_on_small_disk


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory with a short path that holds all places, named shm, tmp and cache."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        for one in ("shm", "tmp", "cache", "own"):
            (Path(name) / one).mkdir()
        monkeypatch.setattr(runroot, "SHARED_MEMORY", Path(name) / "shm")
        monkeypatch.setenv("TMPDIR", f"{name}/tmp")
        monkeypatch.setenv("HARNESS_CACHE", f"{name}/cache")
        monkeypatch.delenv(OVERRIDE, raising=False)
        yield Path(name)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say how many MiB are free in each place, by its name; 1000 elsewhere."""

    def say(**sizes: int) -> None:
        monkeypatch.setattr(
            runroot, "free_space", lambda root: sizes.get(root.parent.name, 1000) * MIB
        )

    return say


def test_shared_memory_comes_first(places: Path) -> None:
    assert choose_run_root().path.parent == places / "shm"


def test_the_variable_comes_before_all(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OVERRIDE, str(places / "own"))

    assert choose_run_root().path.parent == places / "own"


@pytest.mark.parametrize(
    ("sizes", "chosen"),
    [({"shm": 0}, "tmp"), ({"shm": 0, "tmp": 0}, "cache"), ({"own": 0, "shm": 0}, "tmp")],
)
def test_a_place_without_room_is_passed_over(
    places: Path,
    free: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    sizes: dict[str, int],
    chosen: str,
) -> None:
    if "own" in sizes:
        monkeypatch.setenv(OVERRIDE, str(places / "own"))
    free(**sizes)

    root = choose_run_root()

    assert root.path.parent.name == chosen
    assert f"({places / 'shm'}) has 0 MiB free" in root.why


def test_room_for_one_guest_is_too_little_for_three(free: Callable[..., None]) -> None:
    free(shm=RUN_SIZE // MIB)

    assert choose_run_root(1).path.parent.name == "shm"
    assert choose_run_root(3).path.parent.name == "tmp"


def test_no_room_anywhere_is_said_with_how_much_is_needed(
    places: Path, free: Callable[..., None]
) -> None:
    free(shm=1, tmp=2, cache=3)

    with pytest.raises(HostError) as raised:
        choose_run_root(3)

    text = str(raised.value)
    assert f"of 3 guests at a time need {3 * RUN_SIZE // MIB} MiB" in text
    assert f"TMPDIR ({places}/tmp) has 2 MiB free" in text
    assert "set HARNESS_RUN" in text


def test_a_place_whose_path_is_too_long_for_sockets_is_passed_over(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = places / ("d" * 80)
    deep.mkdir()
    monkeypatch.setenv(OVERRIDE, str(deep))

    root = choose_run_root()

    assert root.path.parent.name == "shm"
    assert "too long a path for sockets" in root.why


@pytest.mark.parametrize(("make", "why"), [(False, "no such file"), (True, "not a directory")])
def test_a_place_that_is_no_directory_is_passed_over(
    places: Path, monkeypatch: pytest.MonkeyPatch, make: bool, why: str
) -> None:
    place = places / "none"
    if make:
        place.write_text("")
    monkeypatch.setenv(OVERRIDE, str(place))

    assert f"cannot be used ({why}" in choose_run_root().why


def test_a_choice_holds_for_later_guests(
    places: Path, free: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OVERRIDE, "")  # so that it is restored
    free(shm=RUN_SIZE // MIB)

    keep_run_root(3)

    assert os.environ[OVERRIDE] == str(places / "tmp")
    assert choose_run_root(1).path.parent.name == "tmp"


def test_every_place_with_run_directories_is_known(free: Callable[..., None]) -> None:
    choose_run_root()
    free(shm=0)
    choose_run_root()

    assert [root.parent.name for root in run_roots()] == ["shm", "tmp"]


@pytest.mark.skipif(not can_mount(), reason="this user may not mount in a namespace")
def test_a_small_tmpfs_is_passed_over(places: Path) -> None:
    script = (
        "from pathlib import Path; from harness.machine.qemu import runroot;"
        f"runroot.SHARED_MEMORY = Path('{places}/shm'); print(runroot.choose_run_root(3))"
    )
    env = {**os.environ, "TMPDIR": str(places / "tmp")}

    done = python_on_small_disk("4M", places / "shm", script, env)

    assert done.stderr == ""
    assert f"PosixPath('{places}/tmp/" in done.stdout
    assert "shm) has 4 MiB free" in done.stdout


def test_a_place_with_two_names_is_listed_once(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(places / "shm"))
    choose_run_root()

    assert [root.parent.name for root in run_roots()] == ["shm"]
