# SPDX-License-Identifier: Apache-2.0
"""A run of the suite that pytest could not make is an error, and never a run without failures."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from history_scene import run_on

from harness.base.errors import HarnessError
from harness.results import Run, SuiteRequest, run_tests, save_run


def run_with(monkeypatch: pytest.MonkeyPatch, code: int, run: Run | None, lines: int = 9) -> Run:
    """Run the tests with a pytest that ends with *code* and leaves that many lines of *run*."""

    def pytest_(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        if run is not None:
            (path,) = (Path(one.partition("=")[2]) for one in command if "--run-file" in one)
            save_run(run, path)
            path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
        return subprocess.CompletedProcess(command, code)

    monkeypatch.setattr("harness.results.suite.subprocess.run", pytest_)
    return run_tests(SuiteRequest())


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_a_pytest_that_leaves_no_run_is_an_error(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    with pytest.raises(HarnessError, match=f"pytest ended with {code} before the first test"):
        run_with(monkeypatch, code, None)


def test_failures_are_results(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_on(1, "FAIL")

    assert run_with(monkeypatch, 1, run) == run


def test_what_a_killed_pytest_has_written_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_with(monkeypatch, -9, run_on(1, "FAIL"), lines=2)

    assert [one.result for one in run.tests] == ["FAIL"]
    assert not run.complete
