# SPDX-License-Identifier: Apache-2.0
"""A night that is killed, again and again, comes to what one that was not killed comes to."""

import random
import subprocess
from pathlib import Path

import pytest
from nightly_plans import Desk
from python_process import run_python, start_python

KILLS = 5

SEED = 15
"""Of the moments of death: together shorter than all jobs, so that no night ends before its own."""

DIE = """\
import os, signal, sys
import {module}
from harness.cli import main
def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)
{module}.{name} = die
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """Eight jobs of two fifths of a second."""
    made = Desk(tmp_path)
    made.write(kernels=("one", "two", "three", "four"), orders="sleep=0.4")
    return made


def kill_in_the_middle(desk: Desk, moment: float) -> int:
    """Start a night, kill it *moment* seconds after it began its work; return its exit code."""
    with start_python(desk.command(), env=desk.environment(), merged=True) as night:
        assert night.stdout is not None
        began = any(line.endswith("jobs ...\n") for line in night.stdout)
        assert began, "the night ended before it began any job"
        try:
            return night.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            night.kill()
    return night.wait()


def test_five_kills_leave_no_trace_in_the_history(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(SEED)

    codes = [kill_in_the_middle(desk, chance.uniform(0.0, 1.0)) for _ in range(KILLS)]
    last = desk.call()

    assert codes == [-9] * KILLS
    assert last.returncode == 1, last.stderr
    assert desk.history() == desk.alone(monkeypatch)


@pytest.mark.parametrize(
    "name",
    ["History.add", "Night.note_duration", "Night.begin", "Night.finish"],
)
def test_death_between_two_steps_loses_no_result_and_counts_none_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    desk = Desk(tmp_path)
    desk.write(kernels=("one",), orders="error=1")
    module = (
        "harness.results.history" if name.startswith("History") else "harness.jobs.nightly.state"
    )
    deadly = desk.command(code=DIE.format(module=module, name=name))

    killed = run_python(deadly, env=desk.environment())
    desk.call()

    assert killed.returncode == -9
    assert without_night(desk.history()) == without_night(desk.alone(monkeypatch))


def without_night(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The rows, without the name of the night in those that did not settle their job."""
    return [(str(job).partition(":")[0], *rest) for job, *rest in rows]
