# SPDX-License-Identifier: Apache-2.0
"""A run directory lives as long as its owner, and a sweep removes just the dead ones'."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.machine.qemu import rundir


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rundir, "SHARED_MEMORY", tmp_path)
    return tmp_path


def test_a_removed_run_directory_is_gone() -> None:
    run = rundir.RunDirectory.make()

    run.remove()

    assert not run.path.exists()


def test_a_sweep_spares_the_directory_of_a_living_owner() -> None:
    run = rundir.RunDirectory.make()

    assert rundir.sweep() == 0
    assert run.path.exists()


def test_a_sweep_removes_the_directory_of_a_killed_owner(root: Path) -> None:
    script = (
        "import os, pathlib, signal; from harness.machine.qemu import rundir;"
        f"rundir.SHARED_MEMORY = pathlib.Path({str(root)!r});"
        "rundir.RunDirectory.make(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    (left,) = rundir.leftovers()

    assert rundir.sweep() == 1
    assert not left.exists()


def test_run_directories_are_readable_by_nobody_else() -> None:
    assert rundir.RunDirectory.make().path.stat().st_mode & 0o077 == 0
