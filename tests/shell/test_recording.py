# SPDX-License-Identifier: Apache-2.0
"""A recording: what the guest does by itself, and where its calls are."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import InputError
from harness.kernel import Initramfs
from harness.machine.description import load_machine
from harness.machine.machine import FIRST_STATE, RecordedRun
from harness.shell import recording
from harness.shell.recording import Moment, Playback, Recording, Script, record


@dataclass
class FakeMonitor:
    """A machine that has executed *icount* instructions and stops where it is told."""

    icount: int = 0
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    mark: int = 0

    def execute(self, command: str, **words: object) -> Any:
        """Answer as QEMU does."""
        self.asked.append((command, words))
        if command == "replay-seek":
            self.icount = int(str(words["icount"]))
        return {"icount": self.icount, "status": "paused", "running": False}

    def wait_event(self, *_: object, **__: object) -> None:
        """It has stopped."""


@dataclass
class FakeGuest:
    """A guest that plays."""

    monitor: FakeMonitor = field(default_factory=FakeMonitor)

    def pause(self) -> None:
        """It stands still."""


@pytest.fixture
def guest() -> FakeGuest:
    return FakeGuest()


@pytest.fixture
def playback(guest: FakeGuest) -> Playback:
    moments = (Moment(100, "map"), Moment(200, "unmap"))
    return Playback(guest, Recording(None, moments, 300))  # type: ignore[arg-type] # fakes


@pytest.mark.parametrize(
    ("icount", "text", "end"),
    [
        (0, "[the boot]", 100),
        (100, "map", 200),
        (150, "map", 200),
        (200, "unmap", 300),
        (300, "", 300),
        (301, "", 301),
    ],
)
def test_the_next_call_is_the_one_that_is_not_over(
    guest: FakeGuest, playback: Playback, icount: int, text: str, end: int
) -> None:
    guest.monitor.icount = icount

    assert playback.next_call() == (text, end)


def test_a_moment_is_reached_in_both_directions(guest: FakeGuest, playback: Playback) -> None:
    assert playback.seek(200)
    assert playback.seek(100)
    assert guest.monitor.icount == 100


def test_a_stop_is_set_only_for_what_is_to_come(guest: FakeGuest, playback: Playback) -> None:
    playback.stop_at(300)
    assert guest.monitor.asked[-1] == ("replay-break", {"icount": 300})
    guest.monitor.icount = 300
    playback.stop_at(300)
    assert guest.monitor.asked[-1] == ("query-replay", {})


def test_scripts_lie_behind_the_initial_ram_disk_and_the_probe_beside_it(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    archive = tmp_path / "old/initramfs.cpio"
    archive.write_bytes(b"archive")
    place = tmp_path / "new"
    place.mkdir()

    made = recording._with_scripts(
        Initramfs(archive, "key"), {Script("cat {data} >/f", b"content"): 7}, place
    )

    packed = made.path.read_bytes()
    assert packed.startswith(b"archive\x00" + b"070701")
    assert b"cat /r/7.d >/f\necho ' done 7'\n" in packed
    assert b"content" in packed
    assert made.probe.readlink() == archive.with_name(made.probe.name)


def test_qemu_is_told_to_record_and_to_play(tmp_path: Path) -> None:
    run = RecordedRun(tmp_path / "log", tmp_path / "states")

    words = " ".join(run.arguments)
    assert f"rr=record,rrfile={tmp_path}/log,rrsnapshot={FIRST_STATE}" in words
    assert f"file={tmp_path}/states,if=none" in words
    assert "rr=replay" in " ".join(RecordedRun(run.log, run.disk, played=True).arguments)


def test_without_calls_nothing_is_recorded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no calls of a driver"):
        record(tmp_path)
    with pytest.raises(InputError, match="cannot read a machine"):
        load_machine(tmp_path)
