# SPDX-License-Identifier: Apache-2.0
"""scripts/soak-series: many series in a row, in a cache of limited size and one log."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_checkout import fake_checkout

from harness.base.paths import CHECKOUT
from harness.base.space import MIB

BUDGET = 2 * MIB


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with the real script and Python, three mutants, and a cache with a kernel.

    Its ``harness mutants`` fails for the mutant that ``fails`` names.
    """
    mutants = tmp_path / "tests/mutants"
    mutants.mkdir(parents=True)
    for name, tier in {"01": "default", "02": "nightly", "03": "default", "04": "default"}.items():
        (mutants / f"{name}.patch").write_text(f"Tier: {tier}\n")
    (tmp_path / "cache/kernels/one").mkdir(parents=True)
    (tmp_path / "fails").write_text("")
    programs = {
        "scripts/setup": "",
        ".venv/bin/python": f'PYTHONPATH={CHECKOUT} exec {sys.executable} "$@"',
        ".venv/bin/harness": f"""
            echo "$*" >>{tmp_path}/judged
            [ "$3" != "$(cat {tmp_path}/fails)" ]""",
    }
    return fake_checkout(tmp_path, "scripts/soak-series", programs)


def soak(root: Path, number: int) -> "subprocess.CompletedProcess[str]":
    command = [root / "scripts/soak-series", root / "soak.log", str(number)]
    sizes = {"HARNESS_CACHE": str(root / "cache"), "HARNESS_CACHE_SIZE": str(BUDGET)}
    environment = {**os.environ, **sizes}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, env=environment
    )


def judged(root: Path) -> list[str]:
    return [line.split()[-1] for line in (root / "judged").read_text().splitlines()]


def test_each_mutant_of_the_default_tier_is_judged_once(root: Path) -> None:
    ended = soak(root, 2)

    assert ended.returncode == 0, ended.stderr
    assert judged(root) == ["01", "03"]
    assert f"of {BUDGET >> 20} MiB" in (root / "soak.log").read_text()


def test_a_later_call_goes_on_after_those_that_ended_well(root: Path) -> None:
    soak(root, 1)
    soak(root, 3)

    assert judged(root) == ["01", "03", "04"]


def test_it_ends_at_the_first_wrong_verdict_and_names_its_output(root: Path) -> None:
    (root / "fails").write_text("01")

    ended = soak(root, 3)

    assert ended.returncode == 1
    assert judged(root) == ["01"]
    assert f"{root}/soak.log.01" in ended.stderr


def test_it_ends_when_the_cache_is_larger_than_its_budget_and_a_kernel(root: Path) -> None:
    (root / "cache/kernels/one/vmlinux").write_bytes(b"x" * MIB)
    (root / "cache/parked").write_bytes(b"x" * (BUDGET - MIB // 2))
    assert soak(root, 1).returncode == 0

    (root / "cache/parked").write_bytes(b"x" * (BUDGET + MIB))
    assert soak(root, 3).returncode == 1
    assert judged(root) == ["01", "03"]
