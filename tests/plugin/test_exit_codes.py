# SPDX-License-Identifier: Apache-2.0
"""What pytest ends with an exit code of its own is "not judged" for a session of VM tests."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.results.verdict import known_exit_code

FILE = CHECKOUT / "harness/suite/properties/test_attachment.py"

PYTEST = ("-m", "pytest")
SCRIPT = ("-P", str(CHECKOUT / "scripts/suite.py"))

FAULT = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart():
    raise OSError("no such file: busybox")

def pytest_collection():
    raise AssertionError("it went on")
"""
"""A plugin that makes pytest end with an internal error before a kernel is built."""


NO_KERNEL = """
from harness.plugin import session

session._prepare = lambda config: None
"""
"""A plugin with which no kernel is built before the tests are collected."""


def ended(
    program: Sequence[str], *options: str, folder: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a session of the suite; *folder* has more modules."""
    found = os.environ.get("PYTHONPATH", "")
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{found}" if folder else found}
    command = [sys.executable, *program, *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(("code", "known"), [(0, 0), (1, 1), (2, 2), (3, 2), (4, 2), (5, 2)])
def test_only_0_and_1_are_verdicts(code: int, known: int) -> None:
    assert known_exit_code(code) == known


@pytest.mark.parametrize("program", [PYTEST, SCRIPT], ids=["pytest", "script"])
def test_an_internal_error_is_not_judged(program: Sequence[str], tmp_path: Path) -> None:
    (tmp_path / "fault.py").write_text(FAULT)

    done = ended(program, "-p", "fault", str(FILE), folder=tmp_path)

    assert done.returncode == 2
    assert "INTERNALERROR> OSError: no such file: busybox" in done.stdout + done.stderr


def test_a_test_that_does_not_exist_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "no_kernel.py").write_text(NO_KERNEL)

    done = ended(PYTEST, "-p", "no_kernel", f"{FILE}::no_such_test", folder=tmp_path)

    assert done.returncode == 2
    assert f"ERROR: not found: {FILE}::no_such_test" in done.stdout + done.stderr


def test_an_option_that_pytest_rejects_is_not_judged() -> None:
    done = ended(SCRIPT, "--no-such-option")

    assert (done.returncode, "unrecognized arguments: --no-such-option" in done.stderr) == (2, True)


@pytest.mark.parametrize("when", ["", "def pytest_addoption(): "], ids=["import", "options"])
def test_a_plugin_that_fails_at_the_start_is_not_judged(tmp_path: Path, when: str) -> None:
    (tmp_path / "fault.py").write_text(f"{when}raise OSError('no such library')")

    done = ended(SCRIPT, "-p", "fault", folder=tmp_path)

    assert (done.returncode, "OSError: no such library" in done.stderr) == (2, True)


def test_a_reader_that_goes_away_is_not_judged() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, *SCRIPT, "--version", "--version"]

    done = subprocess.run(command, check=False, stdout=writing, stderr=writing)

    os.close(writing)
    assert done.returncode == 2


def test_a_session_beside_the_suite_keeps_the_codes_of_pytest(tmp_path: Path) -> None:
    assert ended(PYTEST, f"{tmp_path}/no_such_test.py").returncode == 4
