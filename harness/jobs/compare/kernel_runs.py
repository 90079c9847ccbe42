# SPDX-License-Identifier: Apache-2.0
"""Run the same tests on several kernels, and repeat those whose results differ."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from harness.base.errors import BuildError, ConfigError
from harness.base.progress import say, step
from harness.base.result import Result
from harness.jobs.compare.series_judgement import Failure
from harness.results import Run, SuiteRequest
from harness.results.judge import Change, Comparison, Difference, compare
from harness.results.render.plain_text import tally

Runner = Callable[[SuiteRequest], Run]
"""Runs tests on a kernel, as :func:`harness.results.run_suite` does."""

REPEATS = 2
"""Repetitions of a test, on both kernels, if its results differ."""

FEATURE = "DMA_RESTRICTED_POOL"
"""The option without which a kernel has no restricted pools."""

STEADY = (
    *(Change.STILL_PASSING, Change.STILL_FAILING, Change.PASSING),
    *(Change.KNOWN, Change.SKIPPED),
)
"""Changes of tests that are not run again."""


@dataclass(frozen=True)
class Kernels:
    """The kernels to compare: what to run at each position of a series, and what to call it."""

    requests: Mapping[int, SuiteRequest]
    labels: Mapping[int, str]

    @property
    def positions(self) -> tuple[int, ...]:
        """In the order of the series; the first is the base."""
        return tuple(sorted(self.requests))


def run_all(
    kernels: Kernels, runner: Runner, repeats: int = REPEATS, base_runner: Runner | None = None
) -> Mapping[int, Run | Failure]:
    """Run the tests on every kernel; repeat those that differ between two neighbours.

    *base_runner* takes the place of *runner* for the first run on the base.
    A position whose kernel cannot be built has a Failure. Errors of the base, of the harness and of
    this machine are raised.
    """
    base, *rest = kernels.positions
    runs: dict[int, Run | Failure] = {base: _announced(kernels, base, base_runner or runner)}
    for position in rest:
        runs[position] = _run_or_say(kernels, position, runner)
    again = differing({at: run for at, run in runs.items() if isinstance(run, Run)})
    for number in range(1, repeats + 1 if again else 1):
        say(f"results differ: run again, {number} of {repeats}")
        for position, tests in again.items():
            request = replace(kernels.requests[position], tests=tests)
            runs[position] = pooled(_ran(runs[position]), runner(request))
    return runs


def differing(runs: Mapping[int, Run]) -> Mapping[int, tuple[str, ...]]:
    """The tests to repeat at each position, because their results differ from a neighbour's."""
    again: dict[int, dict[str, None]] = {}
    for one, other in pairwise(sorted(runs)):
        for test in _doubtful(compare(runs[one], runs[other]).differences):
            for position in (one, other):
                again.setdefault(position, {})[test] = None
    return {position: tuple(tests) for position, tests in sorted(again.items())}


def _doubtful(differences: Sequence[Difference]) -> Iterator[str]:
    """The tests whose results may differ by chance.

    A kernel that does not boot leaves hundreds of tests without a result, for one reason. That
    reason is tried again with the test that failed; of tests with the same error, one is run again.
    """
    reasons: set[str] = set()
    for one in differences:
        if one.change in STEADY or one.gap is Result.NOT_JUDGED:
            continue
        reason = one.why_open if one.change is Change.NOT_JUDGED else ""
        if not reason or reason not in reasons:
            yield one.test
        reasons.add(reason)


def pooled(first: Run, second: Run) -> Run:
    """Two runs on the same kernel as one, which holds each test as often as it ran."""
    return replace(
        first,
        tests=(*first.tests, *second.tests),
        seconds=first.seconds + second.seconds,
        complete=first.complete and second.complete,
    )


def compared(before: Run | Failure, after: Run | Failure) -> Comparison | Failure:
    """Compare two runs, or return the Failure that prevents it."""
    for one in (after, before):
        if isinstance(one, Failure):
            return one
    comparison = compare(_ran(before), _ran(after))
    if not comparison.differences:
        return Failure("no test was chosen")
    return comparison


def _run_or_say(kernels: Kernels, position: int, runner: Runner) -> Run | Failure:
    try:
        return _announced(kernels, position, runner)
    except BuildError as fault:
        failure = Failure(f"it does not build.\n{fault}", build=True)
    except ConfigError as fault:
        failure = _unconfigured(fault)
    say(f"{kernels.labels[position]}: {failure.reason}")
    return failure


def _unconfigured(fault: ConfigError) -> Failure:
    if FEATURE in fault.options:
        return Failure(f"it removes the feature, CONFIG_{FEATURE}.\n{fault}", build=True)
    return Failure(f"it cannot be configured.\n{fault}")


def _announced(kernels: Kernels, position: int, runner: Runner) -> Run:
    with step(f"tests on {kernels.labels[position]}"):
        run = runner(kernels.requests[position])
    say(f"{kernels.labels[position]}: {tally(run.tests)}")
    return run


def _ran(run: Run | Failure) -> Run:
    assert isinstance(run, Run)
    return run
