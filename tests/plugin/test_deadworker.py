# SPDX-License-Identifier: Apache-2.0
"""The reason why a worker of pytest-xdist died, from real processes."""

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.plugin import deadworker
from harness.plugin.deadworker import memory_kills, reason_of_death


def node(shell: str) -> SimpleNamespace:
    """What pytest-xdist has of a worker that ran these words of a shell."""
    process = subprocess.Popen(["sh", "-c", shell])
    return SimpleNamespace(gateway=SimpleNamespace(_io=SimpleNamespace(popen=process)))


@pytest.fixture
def kills(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc/vmstat that counts two processes killed for lack of memory."""
    vmstat = tmp_path / "vmstat"
    vmstat.write_text("nr_free_pages 12345\noom_kill 2\n")
    monkeypatch.setattr(deadworker, "VMSTAT", vmstat)
    return vmstat


@pytest.mark.parametrize(
    ("shell", "before", "reason"),
    [
        ("kill -SEGV $$", 1, "was killed by SIGSEGV"),
        ("kill -KILL $$", 2, "was killed by SIGKILL"),
        ("kill -KILL $$", 1, "was killed by SIGKILL: out of memory"),
        ("exit 1", 1, "ended with exit code 1, as after the time-out of a test"),
    ],
)
@pytest.mark.usefixtures("kills")
def test_a_dead_worker_is_told_by_its_end(shell: str, before: int, reason: str) -> None:
    assert reason_of_death(node(shell), before) == f"the process that ran the test {reason}"


@pytest.mark.usefixtures("kills")
def test_a_worker_without_a_process_here_is_gone() -> None:
    assert reason_of_death(SimpleNamespace(), 2) == "the process that ran the test is gone"


def test_a_host_without_the_counter_has_no_memory_kills(kills: Path) -> None:
    assert memory_kills() == 2
    kills.unlink()
    assert memory_kills() == 0
