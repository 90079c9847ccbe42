# SPDX-License-Identifier: Apache-2.0
"""Each tier has the tests of those before it, and Python's own warnings end none of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from python_process import run_python

from harness.base.paths import CHECKOUT
from harness.results import TIERS

SUITE = """
import pytest

def test_default(): pass
@pytest.mark.any_kernel("of the harness")
def test_selftest(): pass
@pytest.mark.any_kernel("of the harness")
@pytest.mark.nightly("and takes long")
def test_nightly(): pass
@pytest.mark.on_request("takes very long")
@pytest.mark.finding("torn-page", kernels=">=6.1")
def test_all(): pass
"""


COLLECT = ("--collect-only", "-q")


def collected(directory: Path, *arguments: str) -> list[str]:
    """The names of the tests of *directory* that these *arguments* choose."""
    words = ("-m", "pytest", *COLLECT, *arguments, f"--rootdir={directory}", directory)
    done = run_python(words, cwd=CHECKOUT)
    return [line.rpartition("::")[2] for line in done.stdout.splitlines() if "::" in line]


@pytest.mark.parametrize("tier", TIERS)
def test_a_tier_has_its_own_tests_and_those_of_the_tiers_before_it(
    tier: str, tmp_path: Path
) -> None:
    (tmp_path / "test_sample.py").write_text(SUITE)

    wanted = [f"test_{one}" for one in TIERS[: TIERS.index(tier) + 1]]
    assert collected(tmp_path, f"--tier={tier}") == wanted


def test_the_tests_of_a_finding_run_whatever_their_tier(tmp_path: Path) -> None:
    (tmp_path / "test_sample.py").write_text(SUITE)

    assert collected(tmp_path, "--finding=torn-page") == ["test_all"]
    assert collected(tmp_path, "--finding=nothing") == []


def test_every_worker_collects_the_tests_in_the_same_order() -> None:
    """Python's hash of a string is another one in each process; pytest-xdist ends if tests are."""
    words = ["-m", "pytest", *COLLECT, "--tier=nightly", "-p", "no:cacheprovider", "harness/suite"]
    first, second = (
        run_python(words, cwd=CHECKOUT, env={**os.environ, "PYTHONHASHSEED": seed})
        for seed in ("1", "2")
    )

    names = [line for line in first.stdout.splitlines() if "::" in line]
    assert len(names) > 1000
    assert names == [line for line in second.stdout.splitlines() if "::" in line]


def test_packages_whose_bytecode_is_not_kept_can_be_imported(tmp_path: Path) -> None:
    file = "harness/suite/properties/test_smp.py"
    kept = {"PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *COLLECT, file],
        cwd=CHECKOUT,
        env={**os.environ, **kept},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
