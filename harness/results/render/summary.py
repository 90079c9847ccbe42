# SPDX-License-Identifier: Apache-2.0
"""A run, or a comparison of two, in one sentence."""

from collections import Counter

from harness.base.result import Result
from harness.results import Run, Verdict, verdict_of, violated_properties
from harness.results.judge import Change, Comparison
from harness.results.render.plain_text import counts

_TOLD = (
    *(Change.BROKEN, Change.FIXED, Change.FLAKY, Change.NOT_JUDGED),
    *(Change.STILL_FAILING, Change.STILL_FLAKY, Change.KNOWN, Change.PASSING),
)
"""Changes that a headline counts, in this order."""


def headline(subject: Run | Comparison) -> str:
    """The verdict in one sentence."""
    return _of_run(subject) if isinstance(subject, Run) else _of_comparison(subject)


def _of_run(run: Run) -> str:
    number = counts(run.tests)
    bad = [f"{number[name]} {name}" for name in Result if name.at_fault and name in number]
    properties = violated_properties(run.tests)
    end = "" if run.complete else "; the run is incomplete"
    if not run.tests:
        return f"no test ran{end}"
    if not bad and verdict_of(run) is Verdict.NOT_JUDGED:
        missing = number.get(Result.NOT_JUDGED, 0)
        return f"not judged: {_why_open(run, missing)}{end}"
    if not bad:
        known = number.get(Result.KNOWN, 0)
        besides = f", {known} known finding{'s' if known > 1 else ''}" if known else ""
        return f"{_tests(number.get(Result.PASS, 0))} passed{besides}; nothing is broken{end}"
    named = f"; violated properties: {' '.join(properties)}" if properties else ""
    return f"{', '.join(bad)} of {_tests(len(run.tests))}{named}{end}"


def _why_open(run: Run, missing: int) -> str:
    """Why a run without a failure or error is not judged."""
    if missing:
        return f"{missing} of {_tests(len(run.tests))} have no result"
    judged = sum(one.result.held is not None for one in run.tests)
    return f"{_tests(judged)} judged" if judged else "every test was skipped"


def _tests(number: int) -> str:
    return "1 test" if number == 1 else f"{number} tests"


def _of_comparison(comparison: Comparison) -> str:
    number = Counter(one.change for one in comparison.differences)
    parts = [f"{number[change]} {change.value}" for change in _TOLD if number[change]]
    if properties := violated_properties(
        o for d in comparison.having(Change.BROKEN) for o in d.patched
    ):
        parts[0] += f" ({' '.join(properties)})"
    end = "" if comparison.patched.complete else "; the run with the series is incomplete"
    if comparison.verdict is Verdict.NOT_JUDGED:
        parts = ["not judged", *parts]
    elif not number[Change.BROKEN]:
        parts = ["the series breaks nothing", *parts]
    return f"{', '.join(parts)}, {number[Change.STILL_PASSING]} still passing{end}"
