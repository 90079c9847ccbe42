# SPDX-License-Identifier: Apache-2.0
"""The verdict on a job, and whether it is good."""

from dataclasses import dataclass
from enum import Enum

from harness.jobs.nightly.job import Job
from harness.results import Run


class Fate(Enum):
    """Why a job has the result that it has, or none."""

    RUN = "run"
    UNCHANGED = "unchanged"
    NOT_JUDGED = "not judged"
    NO_TIME = "no time"


class Verdict(Enum):
    """What a run says of its kernel."""

    PASS = "pass"
    FAIL = "FAIL"
    ERROR = "ERROR"


@dataclass(frozen=True)
class Ended:
    """A job that came to its end, with a run or with the *fault* that prevented one."""

    job: Job
    run: Run | None
    fault: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of a night's report. *run* is the one it rests on, *why* says why there is none."""

    job: Job
    fate: Fate
    run: Run | None = None
    why: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """What the run says; None without one."""
        return None if self.run is None else verdict_of(self.run)


def verdict_of(run: Run) -> Verdict:
    """FAIL if a test speaks against the kernel, ERROR if none does and not all could be judged."""
    if any(one.against_kernel for one in run.tests):
        return Verdict.FAIL
    return Verdict.PASS if is_final(run) else Verdict.ERROR


def is_final(run: Run) -> bool:
    """Whether nothing is left to be found out: every test was run, and the harness did its part."""
    return (
        run.complete
        and bool(run.tests)
        and not any(one.result.against_harness for one in run.tests)
    )
