# SPDX-License-Identifier: Apache-2.0
"""Read the KUnit results in a kernel's log: KTAP as lib/kunit/test.c prints it (Linux 6.12).

Suites and parameters indent their results by four blanks::

    KTAP version 1
    1..1
        KTAP version 1
        # Subtest: slots
        1..2
        ok 1 test_one
        # test_two: EXPECTATION FAILED at kernel/dma/slots_test.c:12
        Expected 1 == 2, but
        not ok 2 test_two
    not ok 1 slots

(Documentation/dev-tools/ktap.rst.) A test that was planned and has no result crashed.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.base.result import Result
from harness.results.case import MESSAGE_SIZE, Case

PREFIX = "kunit"
"""Precedes the names of KUnit's tests among those of others."""

_STAMPS = re.compile(r"^(?:\[ *\d+\.\d+\](?:\[[^]]*\])? ?)+")
_SUBTEST = re.compile(r"# Subtest: (\S+)")
_PLAN = re.compile(r"1\.\.(\d+)$")
_RESULT = re.compile(r"(not )?ok \d+ (?:- )?([^#]+?)(?: # (SKIP)?\s*(.*))?$")
_FAILED = re.compile(
    r"# \S+: ((?:EXPECTATION|ASSERTION) FAILED .*)|# (\S+: try (?:faulted|timed out).*)"
)
_INDENT = 4

ABOUT_FAILURE = 3
"""Lines of a failed expectation that are kept."""


@dataclass
class _Suite:
    """A suite, or a test with parameters, whose results come: its name, plan and results so far."""

    name: str
    planned: int = 0
    ended: int = 0


@dataclass
class _Log:
    """Where the reader is: suites by depth, and what was said since the last result."""

    suites: dict[int, _Suite] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)


def kunit_cases(lines: Iterable[str]) -> list[Case]:
    """The tests in the *lines* of a kernel's log, in order; none if KUnit did not run."""
    log = _Log()
    return [case for line in lines for case in _read(log, _STAMPS.sub("", line.rstrip()))] + [
        case for depth in sorted(log.suites) for case in _missing(log, depth)
    ]


def _read(log: _Log, line: str) -> Iterator[Case]:
    text = line.lstrip(" ")
    depth = (len(line) - len(text)) // _INDENT
    if found := _SUBTEST.match(text):
        log.suites[depth], log.said = _Suite(found[1]), []
    elif (found := _PLAN.match(text)) and depth in log.suites:
        log.suites[depth].planned = int(found[1])
    elif found := _RESULT.match(text):
        yield from _ended(log, depth, found)
    elif _FAILED.match(text) or (log.said and len(log.said) < ABOUT_FAILURE):
        log.said.append(text)


def _ended(log: _Log, depth: int, found: re.Match[str]) -> Iterator[Case]:
    """The result of one test; a suite's own is told by its tests, unless it has none."""
    if depth in log.suites:
        log.suites[depth].ended += 1
    inner = log.suites.get(depth + 1)
    if inner and inner.name == found[2]:
        yield from _missing(log, depth + 1)
        del log.suites[depth + 1]
        if inner.ended or not found[1]:
            return
    if depth not in log.suites and not inner:
        return  # no result of KUnit's
    result = Result.FAIL if found[1] else Result.SKIP if found[3] else Result.PASS
    why = " ".join(log.said) if result is Result.FAIL else found[4] or ""
    log.said = []
    yield Case(_name(log, depth, found[2]), result, message=why[:MESSAGE_SIZE])


def _missing(log: _Log, depth: int) -> Iterator[Case]:
    """The tests that were planned and did not end, as one."""
    suite = log.suites[depth]
    if suite.ended < suite.planned:
        why = f"{suite.ended} of {suite.planned} tests ended"
        yield Case(_name(log, depth - 1, suite.name), Result.CRASH, message=why)


def _name(log: _Log, depth: int, name: str) -> str:
    around = [log.suites[one].name for one in sorted(log.suites) if one <= depth]
    return f"{PREFIX}::{'.'.join([*around, name])}"
