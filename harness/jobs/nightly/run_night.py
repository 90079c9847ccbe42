# SPDX-License-Identifier: Apache-2.0
"""Run a night: the jobs without a verdict, in order, until the time is up."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.base.progress import ProgressStep, say, step
from harness.jobs.nightly.entry import Ended, Entry, Fate
from harness.jobs.nightly.executor import Executor
from harness.jobs.nightly.job import Job
from harness.jobs.nightly.schedule import in_order, next_job
from harness.jobs.nightly.state import Night
from harness.results.history import History


@dataclass
class _Agenda:
    """Jobs that have not run, and the deadline in time.monotonic() for starting them."""

    pending: list[Job]
    deadline: float | None
    durations: dict[str, float] = field(default_factory=dict)

    def take(self) -> Job | None:
        left = None if self.deadline is None else self.deadline - time.monotonic()
        job = next_job(self.pending, self.durations, left)
        if job is not None:
            self.pending.remove(job)
        return job


def sort_out(jobs: Sequence[Job], night: Night, history: History) -> tuple[Entry, ...]:
    """The jobs in running order, each with the run that settles it; jobs to run have none."""
    return tuple(
        Entry(job, Fate.UNCHANGED if run else Fate.RUN, run)
        for job in in_order(jobs)
        for run in [night.done(history, job)]
    )


def run_night(
    entries: Sequence[Entry],
    night: Night,
    history: History,
    executor: Executor,
    budget: float | None,
) -> tuple[Entry, ...]:
    """Run the *entries* without a verdict, and return all entries with their verdicts.

    Each run is added to the history before anything else happens, so that a kill loses only the
    jobs that are running. *budget* is in seconds from now, None without a limit; a job that started
    in time runs to its end.
    """
    todo = [entry.job for entry in entries if entry.run is None]
    deadline = None if budget is None else time.monotonic() + budget
    agenda = _Agenda(list(todo), deadline, night.durations())
    finished: dict[str, Entry] = {}
    with step(f"{len(todo)} jobs") as progress:
        for ended in executor.work(agenda.take):
            finished[ended.job.key] = _book(ended, night, history)
            _tell(finished[ended.job.key], progress, len(finished), len(todo))
    left = {job.key: Entry(job, Fate.NO_TIME) for job in agenda.pending}
    return tuple({**left, **finished}.get(entry.job.key, entry) for entry in entries)


def _book(ended: Ended, night: Night, history: History) -> Entry:
    if ended.run is None:
        return Entry(ended.job, Fate.NOT_JUDGED, None, ended.fault)
    night.keep(history, ended.job, ended.run)
    night.note_duration(ended.job, ended.run.seconds)
    return Entry(ended.job, Fate.RUN, ended.run)


def _tell(entry: Entry, progress: ProgressStep, done: int, total: int) -> None:
    verdict = entry.verdict
    say(f"{entry.job.name}: {verdict.value if verdict else f'{entry.fate.value}: {entry.why}'}")
    progress.update(done, total, entry.job.name)
