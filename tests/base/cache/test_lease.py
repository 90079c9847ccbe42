# SPDX-License-Identifier: Apache-2.0
"""A lease protects a directory of the cache, also from other processes, until its user is dead."""

import os
import subprocess
import sys
from pathlib import Path

from harness.base.cache.lease import lease, leases, unleased

HOLD = """
import sys
from pathlib import Path
from harness.base.cache.lease import lease
print(lease(Path(sys.argv[1])), flush=True)
sys.stdin.read()
"""


def is_free(directory: Path) -> bool:
    with unleased(directory) as free:
        return free


def test_a_lease_ends_with_its_block(tmp_path: Path) -> None:
    with leases():
        assert lease(tmp_path)
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def test_a_block_ends_no_lease_that_it_did_not_take(tmp_path: Path) -> None:
    lease(tmp_path)
    with leases():
        lease(tmp_path)
    assert not is_free(tmp_path)


def test_a_directory_that_is_gone_has_no_lease(tmp_path: Path) -> None:
    assert not lease(tmp_path / "gone")
    assert not is_free(tmp_path / "gone")


def test_a_directory_that_was_made_again_is_leased_again(tmp_path: Path) -> None:
    directory = tmp_path / "entry"
    for _ in range(2):
        directory.mkdir()
        assert lease(directory)
        assert not is_free(directory)
        directory.rmdir()


def test_a_lease_holds_in_other_processes_until_its_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        assert not is_free(tmp_path)
        holder.kill()
    assert is_free(tmp_path)


def test_a_child_does_not_inherit_a_lease(tmp_path: Path) -> None:
    with leases():
        lease(tmp_path)
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    free, running = is_free(tmp_path), child.poll() is None
    child.communicate()
    assert (free, running) == (True, True)
