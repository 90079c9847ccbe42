# SPDX-License-Identifier: Apache-2.0
"""Judge a series and each of its patches by the runs at its positions."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.jobs.compare.kernel_runs import REPEATS, Kernels, Runner, compared, run_all
from harness.jobs.compare.series_judgement import Failure, SeriesJudgement, Step
from harness.kernel.patches.apply import Attempt, Fit
from harness.kernel.patches.reach import Reach
from harness.kernel.patches.series import Series, store_prefix
from harness.results import Run, SuiteRequest


def judge_series(
    request: SuiteRequest,
    series: Series,
    attempts: Sequence[Attempt],
    runner: Runner,
    *,
    per_patch: bool = False,
    repeats: int = REPEATS,
    base_runner: Runner | None = None,
    reach: Reach | None = None,
) -> SeriesJudgement:
    """Run the tests of *request* on its kernel, with and without *series*, and compare.

    Nothing is run for a series that is applied already, or that changes no code by its *reach*.

    *base_runner*, *runner* by default, is for the kernel without it.

    With *per_patch*, compare the kernel after each patch with the one before it. If the series does
    not apply, judge the patches before the first that does not.
    """
    fitting = sum(one.fit is not Fit.REFUSED for one in attempts)
    whole = fitting == len(series.patches)
    positions = range(fitting + 1) if per_patch else [0, fitting] if whole else []
    if whole and (idle := why_not_run(attempts, reach)):
        return _judgement(request, series, attempts, Step(0, fitting, idle), ())
    runs: Mapping[int, Run | Failure] = {}
    if len(positions) > 1:
        runs = run_all(kernels_of(request, series, positions), runner, repeats, base_runner)
    steps = [*steps_of(runs)] if per_patch else []
    if whole:
        outcome = compared(runs[0], runs[fitting])
        return _judgement(request, series, attempts, Step(0, fitting, outcome), steps)
    refused = Step(0, len(series.patches), Failure("it does not apply."))
    return _judgement(request, series, attempts, refused, steps)


def kernels_of(request: SuiteRequest, series: Series, positions: Sequence[int]) -> Kernels:
    """Return the request for each of *positions*: its kernel with that many patches applied."""
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
        {at: _label(series, at, positions) for at in positions},
    )


def _label(series: Series, at: int, positions: Sequence[int]) -> str:
    """What to call the kernel with *at* patches: the whole series, or its last patch."""
    if at == len(series.patches) and at - 1 not in positions:
        return f"the whole series ({at} patches)"
    return series.label(at)


def steps_of(runs: Mapping[int, Run | Failure]) -> Sequence[Step]:
    """Compare each position with the last one before it that was built."""
    steps: list[Step] = []
    positions = sorted(runs)
    since = positions[0] if positions else 0
    for position in positions[1:]:
        steps.append(Step(since, position, compared(runs[since], runs[position])))
        if isinstance(runs[position], Run):
            since = position
    return steps


def _judgement(
    request: SuiteRequest,
    series: Series,
    attempts: Sequence[Attempt],
    whole: Step,
    steps: Sequence[Step],
) -> SeriesJudgement:
    return SeriesJudgement(request.spec.source, series, tuple(attempts), whole, tuple(steps))


def why_not_run(attempts: Sequence[Attempt], reach: Reach | None) -> Failure | None:
    """Why no test could say anything about a series; None if one may."""
    if all(one.fit is Fit.ALREADY for one in attempts):
        return Failure("the kernel has all of it; no test was run.")
    if reach is None or reach.lines:
        return None
    files = (
        ("only comments change", reach.comments),
        ("not compiled for arm64", reach.elsewhere),
    )
    said = [f"{why}: {', '.join(names)}" for why, names in files if names]
    return Failure("\n".join(["nothing of this runs in the guest; no test was run.", *said]))
