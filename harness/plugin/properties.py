# SPDX-License-Identifier: Apache-2.0
"""Property ids: tests are chosen by them, reported with them, and summed up by them."""

import pytest

from harness.plugin.results import Result, reported

PROPERTY = "property"
"""The marker, and the name under which ids stand in each test's JUnit properties."""

BAD = (Result.FAIL, Result.CRASH, Result.HANG)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let ``-k B1`` choose the tests of B1, and put a test's ids into its report."""
    for mark in item.iter_markers(PROPERTY):
        item.extra_keyword_matches.update(mark.args)
        item.user_properties += [(PROPERTY, str(name)) for name in mark.args]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the promises that the kernel under test broke."""
    broken = {
        str(value)
        for report in terminalreporter.getreports("failed")
        if reported(report) in BAD
        for name, value in report.user_properties
        if name == PROPERTY
    }
    if broken:
        terminalreporter.write_line(f"broken promises: {' '.join(sorted(broken))}")
