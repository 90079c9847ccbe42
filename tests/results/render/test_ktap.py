# SPDX-License-Identifier: Apache-2.0
"""KTAP is what Documentation/dev-tools/ktap.rst says, read back by a small parser of that text."""

import re
from dataclasses import dataclass, replace

import pytest
from report_runs import base_run, case, patched_run, violation

from harness.results import Case, Run
from harness.results.judge import Change, compare
from harness.results.render import ktap
from harness.results.render.plain_text import short_name

RESULT = re.compile(r"(ok|not ok) (\d+)(?: (?:- )?([^#\n]*?))?(?: # ?(\S+) ?(.*))?")
"""``<result> <number> [<description>][ # [<directive>] [<diagnostic data>]]``"""

DIRECTIVES = ("SKIP", "TODO", "XFAIL", "TIMEOUT", "ERROR")


@dataclass
class Line:
    """A result line, with the diagnostic lines before it."""

    ok: bool
    name: str
    directive: str
    data: str
    diagnostics: list[str]


def parsed(text: str) -> list[Line]:
    """The results of KTAP without subtests; AssertionError where it is none."""
    version, *lines = text.splitlines()
    assert version == "KTAP version 1"
    plan = re.fullmatch(r"1\.\.(\d+)", lines.pop(0))
    assert plan
    results: list[Line] = []
    diagnostics: list[str] = []
    for line in lines:
        if line.startswith("#"):
            diagnostics.append(line[2:])
            continue
        found = RESULT.fullmatch(line)
        assert found, line
        ok, number, name, directive, data = found.groups()
        assert int(number) == len(results) + 1
        assert directive is None or directive in DIRECTIVES, line
        results.append(Line(ok == "ok", name, directive or "", data or "", diagnostics))
        diagnostics = []
    assert len(results) == int(plan[1])
    return results


def of_tests(*tests: Case) -> Run:
    return replace(base_run(), tests=tests)


@pytest.mark.parametrize(
    ("result", "ok", "directive"),
    [
        ("PASS", True, ""),
        ("SKIP", True, "SKIP"),
        ("KNOWN", True, "XFAIL"),
        ("FAIL", False, ""),
        ("CRASH", False, ""),
        ("HANG", False, "TIMEOUT"),
        ("ERROR", False, "ERROR"),
        ("NOT_JUDGED", False, "SKIP"),
    ],
)
def test_each_result_has_its_line(result: str, ok: bool, directive: str) -> None:
    (line,) = parsed(ktap(of_tests(case("test_x", result))))

    assert (line.ok, line.name, line.directive) == (ok, "test_a.py::test_x", directive)


def test_what_a_test_says_stands_before_its_result() -> None:
    failed = replace(case("test_x", "FAIL", "B5"), violations=(violation(),))

    good, bad = parsed(ktap(of_tests(case("test_good", "PASS"), failed)))

    assert bad.diagnostics[-len(str(violation()).splitlines()) :] == str(violation()).splitlines()
    assert good.name == "test_a.py::test_good"


def test_a_name_or_a_message_cannot_break_a_line() -> None:
    odd = Case("a.py::test[#1 a\nb]", case("x", "SKIP").result, message="no\nsuch # thing")

    (line,) = parsed(ktap(of_tests(odd)))

    assert (line.name, line.data) == ("a.py::test[_1 a b]", "no such # thing")


@pytest.mark.parametrize(
    ("before", "after", "ok", "directive"),
    [
        ("PASS", "PASS", True, ""),
        ("PASS", "FAIL", False, ""),
        ("FAIL", "FAIL", True, "XFAIL"),
        ("FAIL", "PASS", True, ""),
        ("PASS", "ERROR", False, "SKIP"),
        ("SKIP", "SKIP", True, "SKIP"),
        ("KNOWN", "KNOWN", True, "XFAIL"),
    ],
)
def test_of_two_runs_a_line_says_what_the_series_does(
    before: str, after: str, ok: bool, directive: str
) -> None:
    two = compare(of_tests(case("test_x", before)), of_tests(case("test_x", after)))

    (line,) = parsed(ktap(two))

    assert (line.ok, line.directive) == (ok, directive)


def test_a_comparison_with_every_kind_of_test_can_be_read() -> None:
    two = compare(base_run(), patched_run())

    bad = [line.name for line in parsed(ktap(two)) if not line.ok and not line.directive]

    assert bad == [short_name(one.test) for one in two.having(Change.BROKEN)]
