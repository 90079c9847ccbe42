# SPDX-License-Identifier: Apache-2.0
"""A file system that becomes full is named as the fault of the host; with room, all works again.

Each test has a process of its own, in which a directory is a small tmpfs.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.machine.description import save_machine
from harness.machine.machine import Machine
from harness.machine.qemu.runroot import OVERRIDE
from harness.suite.lib.small_disk import can_mount, on_small_disk

pytestmark = pytest.mark.any_kernel("it fills disks")

BEGIN = """
import contextlib, json, os, sys
from pathlib import Path
from harness.base.errors import GuestError, HarnessError
from harness.machine.description import load_machine
from harness.machine.qemu.artifacts import keep
from harness.machine.qemu.snapshot import PARKED, park, restore

machine, disk = load_machine(Path(sys.argv[1])), Path(sys.argv[2])
filler, said = disk / "filler", {}

def fill(left):
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    os.truncate(filler, filler.stat().st_size - left)

def attempt(name, work):
    try:
        work()
        said[name] = "all well"
    except (GuestError, HarnessError) as error:
        said[name] = f"{type(error).__name__}: {error}"
"""

END = "\nprint(json.dumps(said))\n"


def said_on_small_disk(
    machine: Machine, place: Path, size: str, variable: str, script: str
) -> dict[str, Any]:
    """Run *script* with a tmpfs of *size* at *place*, which *variable* names; what it said."""
    if not can_mount():
        pytest.skip("this user may not mount in a namespace")
    save_machine(machine, place.parent)
    own = (sys.executable, "-c", f"{BEGIN}{script}{END}", place.parent, place)
    done = on_small_disk(size, place, own, {**os.environ, variable: str(place)})
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.fixture
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a small disk is to be mounted; its path is short, as those of sockets have to be."""
    place = tmp_path_factory.mktemp("d") / "d"
    place.mkdir()
    return place


RUNS = """
def talk():
    with restore(park(machine)) as guest:
        guest.agent.run("(sleep 1; while echo on the console; do :; done) >/dev/console 2>&1 &")
        fill(0)
        guest.console.wait_for("never printed", 60)

def ask():
    with restore(park(machine)) as guest:
        fill(0)
        for _ in range(100):  # the log's last page has room for a few
            guest.agent.run("echo hello")

for work in (talk, ask):
    attempt(work.__name__, work)
    filler.unlink()
    attempt(f"{work.__name__} again", lambda: restore(park(machine)).close())
said["left"] = [path.name for root in disk.iterdir() for path in root.iterdir()]
"""


def test_a_full_disk_below_running_guests_is_named(machine: Machine, disk: Path) -> None:
    """When the logs of a guest cannot be written, who waits for it gets an error of the host."""
    said = said_on_small_disk(machine, disk, "18M", OVERRIDE, RUNS)

    for work in ("talk", "ask"):
        assert said[work].startswith("HostError: cannot write ")
        assert f"no space left on device (the file system at {disk}, 0 of 18 MiB" in said[work]
        assert "HARNESS_RUN" in said[work]
        assert said[f"{work} again"] == "all well"
    assert said["left"] == []


CACHE = """
fill(1 << 20)
attempt("park", lambda: park(machine))
said["entries"] = [path.name for path in PARKED.root.iterdir() if path.suffix != ".lock"]
filler.unlink()
attempt("park again", lambda: park(machine))
with restore(park(machine)) as guest:
    fill(1 << 16)
    attempt("keep", lambda: keep(guest, "failure"))
    said["failures"] = [path.name for path in (disk / "failures").iterdir()]
    filler.unlink()
    said["guest"] = guest.agent.run("echo alive").text
attempt("restore", lambda: restore(park(machine)).close())
"""


def test_a_full_disk_below_the_cache_is_named(machine: Machine, disk: Path) -> None:
    """A guest that cannot be parked, or a failure that cannot be kept, leaves nothing behind."""
    said = said_on_small_disk(machine, disk, "64M", "HARNESS_CACHE", CACHE)

    for work in ("park", "keep"):
        assert said[work].startswith("HostError: cannot write ")
        assert f"no space left on device (the file system at {disk}, " in said[work]
        assert "harness cache prune" in said[work]
    assert (said["entries"], said["failures"]) == ([], [])
    assert said["park again"] == said["restore"] == "all well"
    assert said["guest"] == "alive\n"
