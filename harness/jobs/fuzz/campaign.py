# SPDX-License-Identifier: Apache-2.0
"""Run mutated cases for a while, several at a time, and make what they find small."""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from harness.base.progress import Step, say, step
from harness.jobs.fuzz.case import Case
from harness.jobs.fuzz.corpus import Corpus, save_finding
from harness.jobs.fuzz.known import identity, known_as
from harness.jobs.fuzz.minimise import minimise
from harness.jobs.fuzz.mutate import SEEDS, next_case
from harness.jobs.fuzz.outcome import Outcome, Seen
from harness.jobs.fuzz.run import Ground, machine_for, run_case
from harness.machine.qemu.snapshot import park
from harness.machine.shape import DEFAULT_SHAPE

MOST_SECONDS = 300.0
"""For making one finding small; guests that hang take 15 seconds each."""

CONFIRMATIONS = 3
"""Guests in which something is looked for again before it counts as chance."""


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
class Found:
    """Something that was *seen*, and the file with the least case that shows it.

    *again*: whether it showed in another guest, or is known anyhow; *known*: whether *name* is one
    of docs/findings.md.
    """

    name: str
    seen: Seen
    path: Path
    again: bool
    known: bool


@dataclass
class Summary:
    """What a campaign came to so far."""

    runs: int = 0
    steps: int = 0
    kept: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    often: dict[str, int] = field(default_factory=dict)
    """How often each thing was seen, by name."""

    @property
    def rate(self) -> float:
        """Guests per second."""
        return self.runs / self.seconds if self.seconds else 0.0


def fuzz(ground: Ground, campaign: Campaign, corpus: Corpus) -> Summary:
    """Run cases until the time is over or there were enough, and return what was found.

    The seconds that go into making findings small are not part of the rate.
    """
    park(machine_for(ground, campaign.shape))
    summary, shown = Summary(), set[str]()
    with _workers(campaign.workers) as pool, step("fuzzing") as progress:
        for case, outcome in _outcomes(ground, campaign, corpus, pool, summary):
            summary.runs += 1
            summary.steps += len(outcome.steps)
            if outcome.fault:
                summary.faults.append(outcome.fault)
            if outcome.novelty - shown:
                shown |= outcome.novelty
                summary.kept += 1
                if not outcome.seen:  # what comes of a bad case would only be seen again and again
                    corpus.add(case)
            for seen in outcome.seen:
                _take(ground, campaign, summary, case, seen, outcome)
            _show(progress, campaign, summary)
    return summary


def first_cases(campaign: Campaign) -> list[Case]:
    """The honest devices with which every campaign begins."""
    return [replace(case, shape=campaign.shape) for case in SEEDS]


def case_number(campaign: Campaign, number: int, corpus: Corpus) -> Case:
    """The case of that number, given the *corpus*."""
    case = next_case(Random(f"{campaign.seed}/{number}"), corpus.cases)
    return replace(case, shape=campaign.shape)


def _outcomes(
    ground: Ground,
    campaign: Campaign,
    corpus: Corpus,
    pool: ProcessPoolExecutor,
    summary: Summary,
) -> Iterator[tuple[Case, Outcome]]:
    """Keep all workers busy; the clock stands still while the caller does something else."""
    todo, number = first_cases(campaign), 0
    running: dict[Future[Outcome], Case] = {}
    while True:
        begin = time.monotonic()
        while len(running) < campaign.workers and _go_on(campaign, summary, number):
            case = todo.pop(0) if todo else case_number(campaign, number, corpus)
            number += 1
            running[pool.submit(run_case, ground, case)] = case
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
    ground: Ground,
    campaign: Campaign,
    summary: Summary,
    case: Case,
    seen: Seen,
    outcome: Outcome,
) -> None:
    """Count what was seen; the first time, make it small and write it down."""
    name = identity(case, seen)
    times = summary.often.get(name, 0)
    summary.often[name] = times + 1
    if not times:
        say(f"fuzzing: {seen}")
        summary.found.append(write_down(ground, case, seen, outcome, campaign.findings))


def write_down(ground: Ground, case: Case, seen: Seen, outcome: Outcome, directory: Path) -> Found:
    """Look for what was *seen* in other guests, make its *case* small, and keep it in a file.

    What docs/findings.md knows, and what does not show again, is kept as it was.
    """
    name, last = identity(case, seen), {case: outcome}
    if known_as(case, seen):
        path = save_finding(directory, case, seen, outcome, ground.kernel.release)
        return Found(name, seen, path, again=True, known=True)
    end = time.monotonic() + MOST_SECONDS

    def shows(smaller: Case) -> bool:
        if time.monotonic() > end:
            return False
        last[smaller] = run_case(ground, smaller)
        return any(identity(smaller, one) == name for one in last[smaller].seen)

    again = any(shows(case) for _ in range(CONFIRMATIONS))
    least = minimise(case, shows) if again else case
    artifacts = last[least] if again else outcome
    path = save_finding(directory, least, seen, artifacts, ground.kernel.release)
    return Found(name, seen, path, again, known_as(least, seen) is not None)


@contextmanager
def _workers(number: int) -> Iterator[ProcessPoolExecutor]:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(number, mp_context=spawn) as pool:
        yield pool


def _show(progress: Step, campaign: Campaign, summary: Summary) -> None:
    """Progress in whichever comes first, time or runs."""
    note = f"{summary.runs} guests, {summary.rate:.1f}/s, {len(summary.found)} found"
    of_time = summary.seconds / campaign.seconds
    of_runs = summary.runs / campaign.runs if campaign.runs else 0.0
    progress.update(int(100 * max(of_time, of_runs)), 100, note)
