# SPDX-License-Identifier: Apache-2.0
"""A command that ends with who started it, also if that is gone before it has begun."""

import subprocess
from pathlib import Path

from harness.base.tools import dies_with_us


def test_the_command_runs(tmp_path: Path) -> None:
    subprocess.run(dies_with_us(["touch", str(tmp_path / "ran")]), check=True, timeout=60)

    assert (tmp_path / "ran").exists()


def test_the_command_is_not_started_for_a_caller_that_is_gone(tmp_path: Path) -> None:
    command = dies_with_us(["touch", str(tmp_path / "ran")])

    # the shell is the parent now, as init would be
    subprocess.run(["sh", "-c", '"$@"; true', "sh", *command], check=True, timeout=60)

    assert not (tmp_path / "ran").exists()
