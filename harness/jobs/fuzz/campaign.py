# SPDX-License-Identifier: Apache-2.0
"""Run mutated cases, several at a time, and minimise those with a symptom."""

import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from harness.base.processes import processes
from harness.base.progress import ProgressStep, say, step
from harness.jobs.fuzz.case import FuzzCase
from harness.jobs.fuzz.corpus import Corpus, save_finding
from harness.jobs.fuzz.known import identity, known_as
from harness.jobs.fuzz.minimise import minimise
from harness.jobs.fuzz.mutate import SEEDS, next_case
from harness.jobs.fuzz.record import Record, Symptom
from harness.jobs.fuzz.run import machine_for, run_case
from harness.machine.environment import Environment
from harness.machine.qemu.runroot import keep_run_root
from harness.machine.qemu.snapshot import park
from harness.machine.shape import DEFAULT_SHAPE

MOST_SECONDS = 300.0
"""Limit for minimising one case; a guest that hangs takes 15 seconds."""

CONFIRMATIONS = 3
"""Guests without the symptom before it counts as not reproducible."""


@dataclass(frozen=True)
class Campaign:
    """How long, with what, and where to: ends after *seconds*, or so many *runs*.

    Cases come from *seed*, the number of the case, and the corpus as it is at that moment: with one
    worker and guests that show the same, the same cases come again.
    """

    seconds: float
    runs: int | None
    seed: int
    workers: int
    findings: Path
    shape: str = DEFAULT_SHAPE


@dataclass(frozen=True)
class FoundCase:
    """A *symptom*, and the file with the least case that shows it.

    *again*: whether it showed in another guest, or is known anyhow; *known*: whether *name* is one
    of docs/findings.md.
    """

    name: str
    symptom: Symptom
    path: Path
    again: bool
    known: bool


@dataclass
class Summary:
    """Counts and findings of a campaign so far."""

    runs: int = 0
    steps: int = 0
    kept: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    found: list[FoundCase] = field(default_factory=list)
    often: dict[str, int] = field(default_factory=dict)
    """Number of times that each symptom showed, by name."""

    @property
    def rate(self) -> float:
        """Guests per second."""
        return self.runs / self.seconds if self.seconds else 0.0


def fuzz(environment: Environment, campaign: Campaign, corpus: Corpus) -> Summary:
    """Run cases until the time or the number of guests is reached; return what was found.

    The seconds that go into making findings small are not part of the rate.
    """
    park(machine_for(environment, campaign.shape))
    summary, shown = Summary(), set[str]()
    keep_run_root(campaign.workers)
    with processes(campaign.workers) as pool, step("fuzzing") as progress:
        for case, record in _records(environment, campaign, corpus, pool, summary):
            summary.runs += 1
            summary.steps += len(record.steps)
            if record.fault:
                summary.faults.append(record.fault)
            if record.novelty - shown:
                shown |= record.novelty
                summary.kept += 1
                if not record.symptoms:  # its children would show the same symptoms again
                    corpus.add(case)
            for symptom in record.symptoms:
                _take(environment, campaign, summary, case, symptom, record)
            _show(progress, campaign, summary)
    return summary


def first_cases(campaign: Campaign) -> list[FuzzCase]:
    """The honest devices with which every campaign begins."""
    return [replace(case, shape=campaign.shape) for case in SEEDS]


def case_number(campaign: Campaign, number: int, corpus: Corpus) -> FuzzCase:
    """The case of that number, given the *corpus*."""
    case = next_case(Random(f"{campaign.seed}/{number}"), corpus.cases)
    return replace(case, shape=campaign.shape)


def _records(
    environment: Environment,
    campaign: Campaign,
    corpus: Corpus,
    pool: Executor,
    summary: Summary,
) -> Iterator[tuple[FuzzCase, Record]]:
    """Keep all workers busy; ``summary.seconds`` does not count time spent by the caller."""
    todo, number = first_cases(campaign), 0
    running: dict[Future[Record], FuzzCase] = {}
    while True:
        begin = time.monotonic()
        while len(running) < campaign.workers and _go_on(campaign, summary, number):
            case = todo.pop(0) if todo else case_number(campaign, number, corpus)
            number += 1
            running[pool.submit(run_case, environment, case)] = case
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        summary.seconds += time.monotonic() - begin
        for future in done:
            yield running.pop(future), future.result()


def _go_on(campaign: Campaign, summary: Summary, number: int) -> bool:
    enough = campaign.runs is not None and number >= campaign.runs
    return not enough and summary.seconds < campaign.seconds


def _take(
    environment: Environment,
    campaign: Campaign,
    summary: Summary,
    case: FuzzCase,
    symptom: Symptom,
    record: Record,
) -> None:
    """Count the symptom; the first time, minimise its case and save it."""
    name = identity(case, symptom)
    times = summary.often.get(name, 0)
    summary.often[name] = times + 1
    if not times:
        say(f"fuzzing: {symptom}")
        summary.found.append(
            minimise_and_save(environment, case, symptom, record, campaign.findings)
        )


def minimise_and_save(
    environment: Environment, case: FuzzCase, symptom: Symptom, record: Record, directory: Path
) -> FoundCase:
    """Look for the *symptom* in other guests, make its *case* small, and keep it in a file.

    What docs/findings.md knows, and what does not show again, is kept as it was.
    """
    name, last = identity(case, symptom), {case: record}
    if known_as(case, symptom):
        path = save_finding(directory, case, symptom, record, environment.kernel.release)
        return FoundCase(name, symptom, path, again=True, known=True)
    end = time.monotonic() + MOST_SECONDS

    def shows(smaller: FuzzCase) -> bool:
        if time.monotonic() > end:
            return False
        last[smaller] = run_case(environment, smaller)
        return any(identity(smaller, one) == name for one in last[smaller].symptoms)

    again = any(shows(case) for _ in range(CONFIRMATIONS))
    least = minimise(case, shows) if again else case
    shown_by = last[least] if again else record
    path = save_finding(directory, least, symptom, shown_by, environment.kernel.release)
    return FoundCase(name, symptom, path, again, known_as(least, symptom) is not None)


def _show(progress: ProgressStep, campaign: Campaign, summary: Summary) -> None:
    """Progress in whichever comes first, time or runs."""
    note = f"{summary.runs} guests, {summary.rate:.1f}/s, {len(summary.found)} found"
    of_time = summary.seconds / campaign.seconds
    of_runs = summary.runs / campaign.runs if campaign.runs else 0.0
    progress.update(int(100 * max(of_time, of_runs)), 100, note)
