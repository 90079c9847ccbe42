# SPDX-License-Identifier: Apache-2.0
"""After each VM test, check kernel reports and memory oracles on every live guest.

A test whose guest has a kernel report or violates a property fails, whatever its body checks. A
test that causes that on purpose has a marker for it.
"""

import contextlib
import re
from collections.abc import Generator, Iterator

import pytest

from harness.base.errors import GuestError, HarnessError, NoDebugInformation
from harness.base.kreport import Report
from harness.base.violation import PropertyViolated, Violation
from harness.observe.memory.kernel import not_in_kernel
from harness.plugin.guests import Guests, guests_key


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test for what the oracles report; add that to the error of a failing body."""
    guests = item.stash.get(guests_key, Guests())
    try:
        yield
    except AssertionError as error:
        with contextlib.suppress(GuestError, HarnessError):
            for violation in _violations(item, guests):
                error.add_note(f"the oracles also report: {violation}")
        raise
    except NoDebugInformation as error:
        pytest.skip(str(error))
    except (LookupError, AttributeError) as error:
        if missing := not_in_kernel(error, "what the test needs"):
            raise missing from error
        raise
    _judge_reports(item, guests)
    _judge_violations(item, _violations(item, guests))


def _judge_reports(item: pytest.Item, guests: Guests) -> None:
    patterns = [re.compile(mark.args[0]) for mark in item.iter_markers("expects_report")]
    for guest in guests.live:
        unexpected = [report for report in guest.console.reports if not _expected(report, patterns)]
        assert not unexpected, f"the kernel reported {unexpected[0]}"


def _judge_violations(item: pytest.Item, violations: list[Violation]) -> None:
    wanted = {mark.args[0]: mark.args[1] for mark in item.iter_markers("breaks")}
    unexpected = [
        violation for violation in violations if wanted.keys().isdisjoint(violation.properties)
    ]
    if unexpected:
        raise PropertyViolated(*unexpected)
    found = {name for violation in violations for name in violation.properties}
    for name, reason in wanted.items():
        assert name in found, (
            f"no oracle found {name} violated, but the test has the marker 'breaks': {reason}"
        )


def _violations(item: pytest.Item, guests: Guests) -> list[Violation]:
    if item.get_closest_marker("unexamined"):
        return []
    return list(_violations_of(guests))


def _violations_of(guests: Guests) -> Iterator[Violation]:
    for guest in guests.live:
        if guest.ending is None and not guest.closed:
            yield from guests.examine(guest)


def _expected(report: Report, patterns: list[re.Pattern[str]]) -> bool:
    return report.benign or any(report.matches(pattern) for pattern in patterns)
