# SPDX-License-Identifier: Apache-2.0
"""What ``harness debug`` takes as the name of a failure."""

from dataclasses import replace
from pathlib import Path

import pytest
from report_runs import base_run, case

from harness.base.errors import InputError
from harness.cli.debug import failure_directory
from harness.results import save_run

pytestmark = pytest.mark.usefixtures("cache")


def _failure(cache: Path, name: str) -> Path:
    directory = cache / "failures" / name
    directory.mkdir(parents=True)
    (directory / "machine.json").touch()
    return directory


def _run_with(cache: Path, *failures: Path) -> str:
    tests = tuple(case(one.name, "FAIL", artifacts=str(one)) for one in failures)
    cache.mkdir(parents=True, exist_ok=True)
    save_run(replace(base_run(), tests=tests), cache / "run.json")
    return str(cache / "run.json")


def test_a_directory_is_taken(cache: Path) -> None:
    failure = _failure(cache, "20261128-101010-test_x-1")

    assert failure_directory(str(failure)) == failure


def test_the_newest_failure_of_a_test_is_taken(cache: Path) -> None:
    _failure(cache, "20261128-101010-test_every_mapping-probe-a-1")
    newest = _failure(cache, "20261128-111111-test_every_mapping-probe-a-1")
    _failure(cache, "20261128-121212-test_other-1")

    assert failure_directory("test_every_mapping[probe-a]") == newest


def test_the_failure_of_a_run_is_taken(cache: Path) -> None:
    failure = _failure(cache, "20261128-101010-test_x-1")

    assert failure_directory(_run_with(cache, failure)) == failure


def test_a_run_with_several_failures_names_them(cache: Path) -> None:
    failures = [_failure(cache, f"20261128-101010-test_{name}-1") for name in "xy"]

    with pytest.raises(InputError, match=r"2 failures.*test_x-1, .*test_y-1"):
        failure_directory(_run_with(cache, *failures))


def test_a_run_without_a_machine_says_so(cache: Path) -> None:
    with pytest.raises(InputError, match="no failure whose machine is kept"):
        failure_directory(_run_with(cache))


def test_an_unknown_name_is_answered_with_the_newest_failures(cache: Path) -> None:
    _failure(cache, "20261128-101010-test_x-1")

    with pytest.raises(InputError, match=r"newest failures.*test_x-1"):
        failure_directory("test_unknown")
