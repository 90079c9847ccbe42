# SPDX-License-Identifier: Apache-2.0
"""PASS, FAIL, CRASH, HANG, ERROR, SKIP: what a test's end says, and about whom."""

from collections import Counter
from collections.abc import Generator
from enum import Enum

import pytest

from harness.errors import GuestCrash, GuestHang, HarnessError

PROPERTY = "result"
"""The name under which each test's result stands in its JUnit properties."""


class Result(Enum):
    """How a test ended; the letter is its mark in the progress line."""

    PASS = "."
    FAIL = "F"  # the kernel broke a promise
    CRASH = "C"  # the guest died
    HANG = "H"  # the guest stopped answering
    ERROR = "E"  # the harness or the host failed
    SKIP = "s"


def result_of(phase: str, error: BaseException | None) -> Result:
    """Say what *error*, raised in *phase* (setup, call or teardown), means."""
    if error is None:
        return Result.PASS
    if isinstance(error, pytest.skip.Exception):
        return Result.SKIP
    if isinstance(error, HarnessError | OSError) or phase != "call":
        return Result.ERROR
    if isinstance(error, GuestCrash):
        return Result.CRASH
    if isinstance(error, GuestHang):
        return Result.HANG
    return Result.FAIL


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note the result in the report; a harness error in a test's body is no failure of the test."""
    report = yield
    error = call.excinfo.value if call.excinfo else None
    result = result_of(call.when, error)
    if report.when == "call" or result is not Result.PASS:
        report.user_properties.append((PROPERTY, result.name))
        item.user_properties.append((PROPERTY, result.name))  # JUnit takes the last report's
    if result is Result.ERROR and report.when == "call":
        report.when = "setup"  # pytest and JUnit call a failure outside the body an error
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.TestReport | pytest.CollectReport,
) -> tuple[str, str, str] | None:
    """Show CRASH and HANG with a letter and a word of their own."""
    result = reported(report)
    if result in (Result.CRASH, Result.HANG):
        return "failed", result.value, result.name
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the results of the VM suite in one line."""
    reports = [
        report
        for group in ("passed", "failed", "error", "skipped")
        for report in terminalreporter.getreports(group)
        if "harness/suite/" in report.nodeid
    ]
    counts = Counter(result for report in reports if (result := reported(report)))
    if counts:
        line = "  ".join(f"{result.name} {counts[result]}" for result in Result)
        terminalreporter.write_line(f"results: {line}")


def reported(report: pytest.TestReport | pytest.CollectReport) -> Result | None:
    """The result noted in a report; None where a phase passed that is not the test's body."""
    if isinstance(report, pytest.CollectReport):
        return Result.ERROR if report.failed else None
    if report.passed and report.when != "call":
        return None
    names = [value for name, value in report.user_properties if name == PROPERTY]
    return Result[str(names[-1])] if names else None
