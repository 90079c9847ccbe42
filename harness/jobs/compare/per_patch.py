# SPDX-License-Identifier: Apache-2.0
"""From the runs at the positions of a series to the verdict on it, and on each of its patches."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.jobs.compare.run import REPEATS, Kernels, Runner, compared, run_all
from harness.jobs.compare.verdict import Failure, Step, Verdict
from harness.kernel.patches.apply import Attempt, Fit
from harness.kernel.patches.series import Series, store_prefix
from harness.results import Run, SuiteRequest


def judge(
    request: SuiteRequest,
    series: Series,
    attempts: Sequence[Attempt],
    runner: Runner,
    *,
    per_patch: bool = False,
    repeats: int = REPEATS,
) -> Verdict:
    """Run the tests of *request* on its kernel, with and without *series*, and compare.

    With *per_patch* the kernel after each patch is compared with the one before it. Of a series
    that does not apply, what does is judged patch by patch.
    """
    fitting = sum(one.fit is not Fit.REFUSED for one in attempts)
    whole = fitting == len(series.patches)
    positions = range(fitting + 1) if per_patch else [0, fitting] if whole else []
    runs: Mapping[int, Run | Failure] = {}
    if len(positions) > 1:
        runs = run_all(kernels_of(request, series, positions), runner, repeats)
    steps = [*steps_of(runs)] if per_patch else []
    if whole:
        outcome = compared(runs[0], runs[fitting])
        return _verdict(request, series, attempts, Step(0, fitting, outcome), steps)
    refused = Step(0, len(series.patches), Failure(_refusal(series, attempts)))
    return _verdict(request, series, attempts, refused, steps)


def kernels_of(request: SuiteRequest, series: Series, positions: Sequence[int]) -> Kernels:
    """What to run at each of *positions*: the request's kernel with so many patches more."""
    return Kernels(
        {
            at: replace(
                request,
                spec=replace(
                    request.spec, series=(*request.spec.series, *store_prefix(series, at))
                ),
            )
            for at in positions
        },
        {at: series.label(at) for at in positions},
    )


def steps_of(runs: Mapping[int, Run | Failure]) -> Sequence[Step]:
    """Compare each position with the last before it that could be built."""
    steps: list[Step] = []
    positions = sorted(runs)
    since = positions[0] if positions else 0
    for position in positions[1:]:
        steps.append(Step(since, position, compared(runs[since], runs[position])))
        if isinstance(runs[position], Run):
            since = position
    return steps


def _verdict(
    request: SuiteRequest,
    series: Series,
    attempts: Sequence[Attempt],
    whole: Step,
    steps: Sequence[Step],
) -> Verdict:
    return Verdict(request.spec.source, series, tuple(attempts), whole, tuple(steps))


def _refusal(series: Series, attempts: Sequence[Attempt]) -> str:
    number = len(attempts)
    return f"{series.label(number)} does not apply: {attempts[-1].reason}"
