# SPDX-License-Identifier: Apache-2.0
"""Property ids: choose tests by them, and add them to the results."""

from collections.abc import Generator, Iterable

import pytest

from harness.base.errors import GuestError
from harness.base.properties import in_order
from harness.base.violation import PropertyViolated
from harness.plugin.markers import named_properties
from harness.plugin.results import BAD, reported

PROPERTY, BROKEN = "property", "broken"
"""The marker; and the names of two JUnit properties of a test: ids that it tests, and ids that it
found violated."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let ``-k B1`` choose the tests of B1, and put a test's ids into its report."""
    named = named_properties(item)
    item.extra_keyword_matches.update(named)
    item.user_properties += [(PROPERTY, name) for name in named]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ``--property``, deselect tests that name none of the given properties."""
    wanted = set(config.getoption("--property"))
    chosen = [item for item in items if not wanted or not wanted.isdisjoint(named_properties(item))]
    if len(chosen) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the properties that a failing test found violated: its error's, else all its own."""
    report = yield
    if reported(report) in BAD:
        error = call.excinfo.value if call.excinfo else None
        found = [(BROKEN, one) for one in _violated(item, error)]
        report.user_properties += found
        item.user_properties += found  # JUnit takes the last report's
    return report


def _violated(item: pytest.Item, error: BaseException | None) -> Iterable[str]:
    """The ids that *error* names, else all ids of the test; none if its kernel does not boot."""
    if isinstance(error, PropertyViolated):
        return error.ids
    if isinstance(error, GuestError) and error.properties is not None:
        return error.properties
    return in_order(set(named_properties(item)))
