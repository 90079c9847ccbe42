# SPDX-License-Identifier: Apache-2.0
"""scripts/soak: many runs in a row, in one log that a later call goes on with."""

import subprocess
from pathlib import Path

import pytest
from fake_checkout import fake_checkout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with the real script, whose scripts/run fails in the run that ``fails`` names."""
    (tmp_path / "fails").write_text("0")
    programs = {
        "scripts/setup": "",
        ".venv/bin/python": f"echo {tmp_path}/cache",
        "scripts/run": f"""
            echo run >>{tmp_path}/runs
            [ -e {tmp_path}/cache/parked ] && echo parked >>{tmp_path}/runs
            mkdir -p {tmp_path}/cache/parked
            echo 'results: PASS 1'
            [ "$(grep -c run {tmp_path}/runs)" != "$(cat {tmp_path}/fails)" ]""",
    }
    return fake_checkout(tmp_path, "scripts/soak", programs)


def soak(root: Path, runs: int) -> "subprocess.CompletedProcess[str]":
    command = [root / "scripts/soak", root / "soak.log", str(runs)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def lines(root: Path) -> list[str]:
    return (root / "soak.log").read_text().splitlines()


def test_each_run_is_a_line_with_its_conditions(root: Path) -> None:
    assert soak(root, 4).returncode == 0

    conditions = [line.split(", ")[1:3] for line in lines(root)]
    assert conditions == [
        ["loaded", "guests parked"],
        ["idle", "guests removed"],
        ["loaded", "guests removed"],
        ["idle", "guests parked"],
    ]
    found_parked = [line == "parked" for line in (root / "runs").read_text().split()]
    assert found_parked == [False, False, False, False, True]


def test_it_ends_at_the_first_run_that_fails_and_names_its_output(root: Path) -> None:
    (root / "fails").write_text("2")

    ended = soak(root, 4)

    assert ended.returncode == 1
    assert len(lines(root)) == 2
    assert f"{root}/soak.log.2" in ended.stderr


def test_a_later_call_goes_on_after_the_runs_that_ended_well(root: Path) -> None:
    soak(root, 2)

    soak(root, 3)

    assert [line.split()[1] for line in lines(root)] == ["1", "2", "3"]
