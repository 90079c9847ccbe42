# SPDX-License-Identifier: Apache-2.0
"""scripts/run: the whole suite, or the tests that are named."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT

NODE = "harness/suite/properties/test_sync.py::test_a[x-y]"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[str]]:
    """Runs the script beside a setup that does nothing and a Python that prints its arguments."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    shutil.copy(CHECKOUT / "scripts/run", tmp_path / "scripts/run")
    for name, line in (("scripts/setup", ":"), (".venv/bin/python", "printf '%s\\n' \"$@\"")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)

    def call(*words: str) -> list[str]:
        command = [tmp_path / "scripts/run", *words]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return said.replace(str(tmp_path), "").splitlines()[4:]

    return call


@pytest.mark.parametrize("words", [(), ("-k", "B1"), ("--kernel", "../linux")])
def test_without_names_the_whole_suite_runs(
    run: Callable[..., list[str]], words: tuple[str, ...]
) -> None:
    assert run(*words) == ["/harness/", *words]


@pytest.mark.parametrize("name", [NODE, "harness/suite/properties/test_sync.py"])
def test_named_tests_run_alone(run: Callable[..., list[str]], name: str) -> None:
    assert run("--tier=all", name) == ["--tier=all", name]
