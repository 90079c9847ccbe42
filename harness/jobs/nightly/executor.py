# SPDX-License-Identifier: Apache-2.0
"""What executes the jobs: this machine, one after the other, or a cluster (cluster.py)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.jobs.nightly.entry import Ended
from harness.jobs.nightly.job import Job
from harness.jobs.nightly.runner import Runner
from harness.jobs.nightly.work import build, test

NextJob = Callable[[], Job | None]
"""Returns the next job to start; None if none is left, or no time."""


class Executor(Protocol):
    """Takes jobs while it has free slots, and yields each when it has ended, in any order."""

    def work(self, take: NextJob) -> Iterator[Ended]:
        """Run jobs until *take* returns None, and yield each that has ended."""


@dataclass(frozen=True)
class Alone:
    """This machine; *log* says where a job's output goes.

    *built* holds the error of each kernel's build, or "", by the kernel's key: it is tried once.
    """

    runner: Runner
    log: Callable[[Job], Path]
    built: dict[str, str] = field(default_factory=dict)

    def work(self, take: NextJob) -> Iterator[Ended]:
        """See :class:`Executor`."""
        while job := take():
            if job.kernel_key not in self.built:
                self.built[job.kernel_key] = build(job, self.runner)
            fault = self.built[job.kernel_key]
            yield Ended(job, None, fault) if fault else test(job, self.runner, self.log(job))
