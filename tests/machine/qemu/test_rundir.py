# SPDX-License-Identifier: Apache-2.0
"""A run directory lives as long as its owner, and a sweep removes just the dead ones'."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.machine.qemu import rundir, runroot
from harness.machine.qemu.runroot import OVERRIDE


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place with a short path, and no other, for run directories."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        monkeypatch.setenv(OVERRIDE, name)
        monkeypatch.setenv("HARNESS_CACHE", f"{name}/cache")
        monkeypatch.setattr(runroot, "SHARED_MEMORY", Path(name))
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield


def test_a_removed_run_directory_is_gone() -> None:
    run = rundir.RunDirectory.make()

    run.remove()

    assert not run.path.exists()


def test_a_sweep_spares_the_directory_of_a_living_owner() -> None:
    run = rundir.RunDirectory.make()

    assert rundir.sweep() == 0
    assert run.path.exists()


def test_a_sweep_removes_the_directory_of_a_killed_owner() -> None:
    script = (
        "import os, signal; from harness.machine.qemu import rundir;"
        "rundir.RunDirectory.make(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    (left,) = rundir.leftovers()

    assert rundir.sweep() == 1
    assert not left.exists()


def test_run_directories_are_readable_by_nobody_else() -> None:
    assert rundir.RunDirectory.make().path.stat().st_mode & 0o077 == 0
