# SPDX-License-Identifier: Apache-2.0
"""The order of jobs, and the next one that fits into the time that is left. Pure."""

from collections.abc import Mapping, Sequence

from harness.jobs.nightly.job import Job


def in_order(jobs: Sequence[Job]) -> tuple[Job, ...]:
    """By priority, then in the plan's order, but all jobs of one kernel together.

    So a kernel stays in its workspace, and its guests stay parked, while its jobs run.
    """
    first: dict[tuple[int, str], int] = {}
    for place, job in enumerate(jobs):
        first.setdefault((job.priority, job.kernel_key), place)
    return tuple(sorted(jobs, key=lambda job: (-job.priority, first[job.priority, job.kernel_key])))


def expected(job: Job, seen: Mapping[str, float]) -> float:
    """Expected seconds of *job*: the last duration of its ``Job.course``, else the plan's."""
    return seen.get(job.course, job.expect)


def next_job(pending: Sequence[Job], seen: Mapping[str, float], left: float | None) -> Job | None:
    """The first job that is expected to end within the *left* seconds; None if none is.

    So a shorter job of lower priority may run where a longer one does not fit. Without a limit all
    fit.
    """
    if left is None:
        return pending[0] if pending else None
    if left <= 0:
        return None
    return next((job for job in pending if expected(job, seen) <= left), None)
