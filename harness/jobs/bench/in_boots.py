# SPDX-License-Identifier: Apache-2.0
"""Time a run of tests in bare boots, which tell how fast the host is at that time."""

import time
from dataclasses import dataclass
from statistics import median

from harness.base.errors import HarnessError
from harness.jobs.bench.bare import bare_boot
from harness.machine.machine import Machine
from harness.results import Run, SuiteRequest, Verdict, run_tests, summary_lines, verdict_of

BOOTS = 4
"""Bare boots before each run, and as many after it."""


@dataclass(frozen=True)
class TimedRun:
    """A run that took *seconds*, which are as many as those of *boots* bare boots."""

    run: Run
    seconds: float
    boots: float


def time_run(request: SuiteRequest, machine: Machine, verdict: Verdict) -> TimedRun:
    """Run the tests of *request* between bare boots of *machine*.

    Raises HarnessError if the run ends with another verdict than *verdict*.
    """
    boots = [bare_boot(machine) for _ in range(BOOTS)]
    begin = time.monotonic()
    run = run_tests(request)
    seconds = time.monotonic() - begin
    boots += [bare_boot(machine) for _ in range(BOOTS)]
    require_verdict(run, verdict)
    return TimedRun(run, seconds, seconds / median(boots))


def require_verdict(run: Run, verdict: Verdict) -> None:
    """Raise HarnessError if *run* ended with another verdict: its time says nothing then."""
    if verdict_of(run) is not verdict:
        said = ", ".join(summary_lines(run))
        raise HarnessError(
            f"expected the verdict '{verdict.value}', so this run is not timed: {said}"
        )
