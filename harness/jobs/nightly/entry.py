# SPDX-License-Identifier: Apache-2.0
"""A job of a night: how it ended, and the verdict of its run."""

from dataclasses import dataclass
from enum import Enum

from harness.jobs.nightly.job import Job
from harness.results import Run, Verdict, verdict_of


class Fate(Enum):
    """Why a job has a run, or has none."""

    RUN = "run"
    UNCHANGED = "unchanged"
    NOT_JUDGED = "not judged"
    NO_TIME = "no time"


@dataclass(frozen=True)
class Ended:
    """A job that ended, with its run or with the *fault* that prevented one."""

    job: Job
    run: Run | None
    fault: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of a night's report: its *run*, or *why* there is none."""

    job: Job
    fate: Fate
    run: Run | None = None
    why: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of the run; None without one."""
        return None if self.run is None else verdict_of(self.run)


def is_final(run: Run) -> bool:
    """Whether the next night need not repeat the job, as after ERROR or an incomplete run.

    A run can be BAD and not final: one test failed, and another one was not judged.
    """
    errors = any(one.result.against_harness for one in run.tests)
    return run.complete and bool(run.tests) and not errors
