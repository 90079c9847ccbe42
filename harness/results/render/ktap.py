# SPDX-License-Identifier: Apache-2.0
"""KTAP version 1 (Documentation/dev-tools/ktap.rst): what the kernel's own tests print.

A run:

===========  =======================================  ==========================================
result       line                                     why
===========  =======================================  ==========================================
PASS         ``ok``
SKIP         ``ok ... # SKIP reason``
KNOWN        ``ok ... # XFAIL finding``               docs/findings.md describes the failure
FAIL, CRASH  ``not ok``
HANG         ``not ok ... # TIMEOUT``
ERROR        ``not ok ... # ERROR reason``            the harness failed, not the kernel
NOT_JUDGED   ``not ok ... # SKIP not judged: reason``  the kernel did not get that far
===========  =======================================  ==========================================

A comparison of two: ``not ok`` if the series breaks the test, ``not ok ... # SKIP`` if it is flaky
or not judged, else ``ok``; a test that fails on the base too is ``ok ... # XFAIL``.

The text of a test is in diagnostic lines before its result.
"""

from collections.abc import Iterator, Sequence

from harness.base.result import Result
from harness.results import Case, Run
from harness.results.judge import Change, Comparison, Difference
from harness.results.render.plain_text import block, findings_gone, notices, short_name, telling
from harness.results.render.provenance import provenance_items
from harness.results.render.summary import headline

VERSION = "KTAP version 1"

_DIRECTIVES = {
    Result.SKIP: "SKIP",
    Result.KNOWN: "XFAIL",
    Result.HANG: "TIMEOUT",
    Result.ERROR: "ERROR",
    Result.NOT_JUDGED: "SKIP not judged:",
}

_OK = (Result.PASS, Result.SKIP, Result.KNOWN)

_CHANGE_DIRECTIVES = {
    Change.FLAKY: "SKIP not judged: flaky with the series",
    Change.NOT_JUDGED: "SKIP not judged",
    Change.STILL_FLAKY: "XFAIL flaky on the base too",
    Change.STILL_FAILING: "XFAIL fails on the base too",
    Change.KNOWN: "XFAIL known finding",
    Change.SKIPPED: "SKIP",
}

_NOT_OK = (Change.BROKEN, Change.FLAKY, Change.NOT_JUDGED)


def ktap(subject: Run | Comparison) -> str:
    """The KTAP text: a plan, a result line a test, the verdict as a diagnostic line at the end."""
    if isinstance(subject, Comparison):
        run, number = subject.patched, len(subject.differences)
        results = (_change(at, one) for at, one in enumerate(subject.differences, 1))
        gone = findings_gone(subject)
    else:
        run, number = subject, len(subject.tests)
        results = (_result(at, one) for at, one in enumerate(subject.tests, 1))
        gone = ""
    lines = [VERSION, f"1..{number}"]
    lines += (f"# {name}: {value}".rstrip() for name, value in provenance_items(run.provenance))
    lines += (line for result in results for line in result)
    said = (*notices(run), *([gone] if gone else ()), f"{headline(subject)}.")
    return "\n".join([*lines, *(f"# {one}" for one in said)]) + "\n"


def _result(number: int, case: Case) -> Iterator[str]:
    if case.result.at_fault:
        yield from _diagnostics(case)
    directive = _DIRECTIVES.get(case.result, "")
    reason = "" if case.result.against_kernel else case.message
    yield _line(number, case.result in _OK, case.test, f"{directive} {reason}" if directive else "")


def _change(number: int, difference: Difference) -> Iterator[str]:
    cases, change = difference.patched or difference.base, difference.change
    if change in (*_NOT_OK, Change.STILL_FAILING, Change.STILL_FLAKY):
        yield from _diagnostics(telling(cases))
    directive = _CHANGE_DIRECTIVES.get(change, "")
    yield _line(number, change not in _NOT_OK, difference.test, directive)


def _diagnostics(case: Case) -> Sequence[str]:
    said = "\n".join(part for part in (block(case), case.artifacts) if part)
    return [f"# {line}".rstrip() for line in said.splitlines()]


def _line(number: int, good: bool, test: str, directive: str) -> str:
    """A result line; a description holds neither # nor a line break."""
    name = " ".join(short_name(test).replace("#", "_").split())
    said = f" # {' '.join(directive.split())}" if directive else ""
    return f"{'ok' if good else 'not ok'} {number} {name}{said}"
