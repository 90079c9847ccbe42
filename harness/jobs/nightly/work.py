# SPDX-License-Identifier: Apache-2.0
"""Build and test one job, here or on a worker of a cluster, and check what was tested."""

from pathlib import Path

from harness.base.errors import GuestError, HarnessError, InputError, explain
from harness.jobs.nightly.entry import Ended
from harness.jobs.nightly.job import Job
from harness.jobs.nightly.runner import Runner
from harness.results import Run


def build(job: Job, runner: Runner) -> str:
    """Build the kernel of *job*; return the error, or ""."""
    try:
        runner.build(job.request.spec)
    except HarnessError as fault:
        return explain(fault)
    return ""


def test(job: Job, runner: Runner, log: Path) -> Ended:
    """Run the tests of *job*, whose kernel is built."""
    try:
        return Ended(job, _right(job, runner.run(job.request, log)))
    except (HarnessError, GuestError) as fault:
        return Ended(job, None, explain(fault))


def _right(job: Job, run: Run) -> Run:
    """Return *run*; raise InputError unless its kernel is the planned one."""
    found = run.provenance.kernel_key
    if found != job.kernel_key:
        raise InputError(
            f"{job.request.spec.source} has changed since the night was planned: expected kernel "
            f"{job.kernel_key}, ran {found}. The next night plans with the new one."
        )
    return run
