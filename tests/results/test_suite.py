# SPDX-License-Identifier: Apache-2.0
"""A run of the suite that pytest could not make is an error, and never a run without failures."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.base.errors import HarnessError
from harness.kernel import KernelSpec
from harness.results import Run, SuiteRequest, run_suite

REPORT = """<testsuites><testcase classname="harness.suite.test_a" name="t">
<properties><property name="result" value="FAIL"/></properties></testcase></testsuites>"""


def run_with(monkeypatch: pytest.MonkeyPatch, code: int, report: str | None) -> Run:
    """Run the suite with a pytest that ends with *code* and leaves *report*."""

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        if report is not None:
            (path,) = (word.partition("=")[2] for word in command if "--junitxml" in word)
            Path(path).write_text(report)
        return subprocess.CompletedProcess(command, code)

    for name in ("find_qemu", "build_kernel", "build_initramfs", "provenance"):
        monkeypatch.setattr(f"harness.results.suite.{name}", lambda *_: SimpleNamespace())
    monkeypatch.setattr("harness.results.suite.subprocess.run", run)
    return run_suite(SuiteRequest(KernelSpec()))


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_a_pytest_that_leaves_no_report_is_an_error(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    with pytest.raises(HarnessError, match=f"pytest ended with {code} and no results"):
        run_with(monkeypatch, code, None)


@pytest.mark.parametrize(("code", "complete"), [(1, True), (2, False)])
def test_failures_are_results(monkeypatch: pytest.MonkeyPatch, code: int, complete: bool) -> None:
    run = run_with(monkeypatch, code, REPORT)

    assert [one.result for one in run.tests] == ["FAIL"]
    assert run.complete is complete
