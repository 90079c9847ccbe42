# SPDX-License-Identifier: Apache-2.0
"""The result of a test: the one place that turns an exception into a Result."""

import subprocess
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from _pytest.outcomes import Skipped

from harness.base.disk import FULL, cannot_write
from harness.base.errors import GuestCrash, GuestHang, HarnessError, HostError
from harness.base.paths import SUITE, cache_directory
from harness.base.result import Result
from harness.base.space import free_space
from harness.plugin.markers import is_selftest, known_finding

RESULT = "result"
"""The name of the JUnit property with a test's result."""

NOTICE = "notice"
"""The name of the JUnit property with a line that the summary prints."""

BAD = tuple(one for one in Result if one.against_kernel)
"""Results against the kernel."""

no_boot_key = pytest.StashKey[bool]()
"""Set for the test that found that its kernel does not boot: no finding explains that."""


class NotJudged(Skipped):
    """The kernel did not get as far as the test; the message gives the reason."""


_MEANINGS: tuple[tuple[type[BaseException], Result], ...] = (
    (NotJudged, Result.NOT_JUDGED),
    (Skipped, Result.SKIP),
    (GuestCrash, Result.CRASH),
    (GuestHang, Result.HANG),
    (HarnessError, Result.ERROR),
    (OSError, Result.ERROR),
    (MemoryError, Result.ERROR),
    (subprocess.SubprocessError, Result.ERROR),
)
"""The first that fits counts."""


def result_of(phase: str, error: BaseException | None) -> Result:
    """Return the result for *error*, raised in *phase* (setup, call or teardown)."""
    if error is None:
        return Result.PASS
    for kind, result in _MEANINGS:
        if isinstance(error, kind):
            return result
    return Result.FAIL if phase == "call" else Result.ERROR


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the result to the report; a harness error in a test's body is not its failure."""
    error = call.excinfo.value if call.excinfo else None
    if isinstance(error, OSError) and error.errno in FULL:
        error.add_note(str(_full(error)))
    report = yield
    result = _judge(item, report, error)
    if report.when == "call" or result is not Result.PASS:
        report.user_properties.append((RESULT, result.name))
        item.user_properties.append((RESULT, result.name))  # JUnit takes the last report's
    if result is Result.ERROR and report.when == "call":
        report.when = "setup"  # pytest and JUnit call a failure outside the body an error
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.TestReport | pytest.CollectReport,
) -> tuple[str, str, str] | None:
    """Show CRASH, HANG and KNOWN with a letter and a word of their own."""
    result = reported(report)
    if result in (Result.CRASH, Result.HANG):
        return "failed", result.letter, result.name
    if result is Result.KNOWN:
        return "xfailed", result.letter, result.name
    return None


def reported(report: pytest.TestReport | pytest.CollectReport) -> Result | None:
    """The result in a report; None for a set-up or tear-down that passed."""
    if isinstance(report, pytest.CollectReport):
        return Result.ERROR if report.failed else None
    if report.passed and report.when != "call":
        return None
    names = [value for name, value in report.user_properties if name == RESULT]
    return Result[str(names[-1])] if names else None


def _full(error: OSError) -> HostError:
    """What to do about a full disk: the one with the least space, if the error names no file."""
    places = [Path(tempfile.gettempdir()), cache_directory()]
    return cannot_write("a file of this test", min(places, key=free_space), error)


def _judge(item: pytest.Item, report: pytest.TestReport, error: BaseException | None) -> Result:
    """The result of a phase that ended with *error*, with known findings and escapes."""
    result = result_of(report.when, error)
    if item.stash.get(no_boot_key, False):
        return result
    if result is Result.NOT_JUDGED and error is not None:
        report.longrepr = (SUITE, 1, str(error))  # the same for all tests: pytest prints it once
        return result
    escape = item.get_closest_marker("escape")
    if escape and result is Result.FAIL:
        return _forgive(
            report, f"{escape.args[0]} was not seen: the kernel does more than it guarantees"
        )
    finding = known_finding(item)
    if finding and result in finding.ends:
        return _forgive(report, f"docs/findings.md: {finding.name}")
    if finding and result is Result.PASS and report.when == "call":
        report.user_properties.append((NOTICE, finding.notice))
        item.user_properties.append((NOTICE, finding.notice))  # JUnit takes the last report's
        if finding.must_show:
            report.outcome, report.longrepr = "failed", finding.notice
            return Result.ERROR
    return Result.ERROR if result in BAD and is_selftest(item) else result


def _forgive(report: pytest.TestReport, reason: str) -> Result:
    report.outcome = "skipped"
    report.wasxfail = reason  # how pytest knows an expected failure
    return Result.KNOWN
