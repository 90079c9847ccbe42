# SPDX-License-Identifier: Apache-2.0
"""The end of a run in a few lines: results in numbers, violated properties, notices, reasons."""

from collections import Counter
from collections.abc import Iterable, Iterator

from harness.base.properties import in_order
from harness.base.result import Result
from harness.results.case import Case
from harness.results.run import Run

ORDER = (
    *(Result.PASS, Result.FAIL, Result.CRASH, Result.HANG),
    *(Result.KNOWN, Result.SKIP, Result.ERROR),
)
"""Results that are always counted; NOT_JUDGED only if there is any."""


def summary_lines(run: Run) -> Iterator[str]:
    """The last lines that a session prints."""
    counts = Counter(one.result for one in run.tests)
    shown = (*ORDER, *([Result.NOT_JUDGED] if counts[Result.NOT_JUDGED] else []))
    yield f"results: {'  '.join(f'{result} {counts[result]}' for result in shown)}"
    if violated := violated_properties(run.tests):
        yield f"violated properties: {' '.join(violated)}"
    yield from dict.fromkeys(notice for one in run.tests for notice in one.notices)
    reasons = [one.message for one in run.tests if one.result is Result.NOT_JUDGED]
    yield from (f"not judged: {reason}" for reason in dict.fromkeys(reasons))
    if not run.tests:
        yield "not judged: no test was chosen; 'harness properties' lists the tests"
    if not run.complete:
        yield "the run ended before its last test"


def violated_properties(tests: Iterable[Case]) -> tuple[str, ...]:
    """The properties that *tests* found violated, without known findings, in order."""
    return in_order(name for one in tests if one.against_kernel for name in one.violated)
