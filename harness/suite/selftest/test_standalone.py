# SPDX-License-Identifier: Apache-2.0
"""What is kept of a failure boots without the harness."""

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.machine.qemu.artifacts import DUMP, save
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.standalone import RUN

pytestmark = pytest.mark.any_kernel("what is kept of a machine")

BOUND = b"probe-a: bound to the probe"
"""One of the last lines of the boot."""

BOOT_TIMEOUT = 120


def test_a_kept_machine_boots_in_another_directory(guest: Guest, tmp_path: Path) -> None:
    """The directory of a failure, copied elsewhere, boots the same kernel by its own script."""
    kept, copy = tmp_path / "kept", tmp_path / "copy"
    kept.mkdir()
    save(guest, kept)
    shutil.copytree(kept, copy, ignore=shutil.ignore_patterns(DUMP))
    shutil.rmtree(kept)

    environment = {"PATH": "/usr/bin:/bin", "QEMU": str(guest.machine.qemu.path)}
    command = ["timeout", str(BOOT_TIMEOUT), str(copy / RUN)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as boot:
        assert boot.stdout is not None
        lines = []
        for line in boot.stdout:
            lines.append(line)
            if BOUND in line:
                break
        boot.terminate()

    assert any(f"Linux version {guest.machine.kernel.release}".encode() in one for one in lines)
    assert BOUND in lines[-1]
