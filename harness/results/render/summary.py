# SPDX-License-Identifier: Apache-2.0
"""What a run, or a comparison of two, comes to, in numbers and in one sentence."""

from collections import Counter
from collections.abc import Iterable, Mapping

from harness.base.properties import in_order
from harness.base.result import Result
from harness.results import Case, Run
from harness.results.judge import Change, Comparison


def counts(tests: Iterable[Case]) -> Mapping[Result, int]:
    """How many tests ended with each result, the worst first; results that none has are absent."""
    found = Counter(one.result for one in tests)
    return {result: found[result] for result in Result if result in found}


def violated_properties(tests: Iterable[Case]) -> tuple[str, ...]:
    """The properties that *tests* found broken and that no list excuses, in natural order."""
    found = {
        number for one in tests if one.against_kernel for number in one.violated or one.properties
    }
    return in_order(found)


def all_passed(run: Run) -> bool:
    """Whether nothing speaks against the kernel, all was judged, and something was."""
    bad = any(one.result.at_fault for one in run.tests)
    return run.complete and bool(run.tests) and not bad


def is_good(subject: Run | Comparison) -> bool:
    """Whether a maintainer may take the kernel, or the series, as far as the tests can tell."""
    if isinstance(subject, Run):
        return all_passed(subject)
    doubts = (Change.BROKEN, Change.FLAKY)
    judged = any(one.change is not Change.NOT_JUDGED for one in subject.differences)
    spoilt = any(
        one.result.against_harness for d in subject.having(Change.NOT_JUDGED) for one in d.patched
    )
    unclear = spoilt or not subject.patched.complete or not judged
    return not unclear and not any(one.change in doubts for one in subject.differences)


def headline(subject: Run | Comparison) -> str:
    """The verdict in one sentence."""
    return _of_run(subject) if isinstance(subject, Run) else _of_comparison(subject)


def _of_run(run: Run) -> str:
    number = counts(run.tests)
    bad = [f"{number[name]} {name}" for name in Result if name.at_fault and name in number]
    properties = violated_properties(run.tests)
    end = "" if run.complete else "; the run did not come to its end"
    if not run.tests:
        return f"no test ran{end}"
    if not bad:
        known = number.get(Result.KNOWN, 0)
        besides = f", {known} as known of this kernel" if known else ""
        return f"{_tests(number.get(Result.PASS, 0))} passed{besides}; nothing is broken{end}"
    named = f"; violated properties: {' '.join(properties)}" if properties else ""
    return f"{', '.join(bad)} of {_tests(len(run.tests))}{named}{end}"


def _tests(number: int) -> str:
    return "1 test" if number == 1 else f"{number} tests"


def _of_comparison(comparison: Comparison) -> str:
    number = Counter(one.change for one in comparison.differences if not one.skipped)
    order = (Change.BROKEN, Change.FIXED, Change.FLAKY, Change.STILL_FAILING, Change.NOT_JUDGED)
    parts = [f"{number[change]} {change.value}" for change in order if number[change]]
    if properties := violated_properties(
        o for d in comparison.having(Change.BROKEN) for o in d.patched
    ):
        parts[0] += f" ({' '.join(properties)})"
    end = "" if comparison.patched.complete else "; the run with the series did not come to its end"
    if not number[Change.BROKEN]:
        parts = ["the series breaks nothing", *parts]
    return f"{', '.join(parts)}, {number[Change.STILL_PASSING]} still passing{end}"
