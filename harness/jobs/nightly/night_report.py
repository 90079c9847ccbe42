# SPDX-License-Identifier: Apache-2.0
"""Report a night: tables of jobs, a line for each failure, the verdict, JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.table import Table

from harness.jobs.nightly.entry import Entry, Fate
from harness.jobs.nightly.expand import Lost
from harness.jobs.nightly.plan import PLAIN
from harness.jobs.nightly.schedule import expected
from harness.results import Run, Verdict
from harness.results.judge import overall
from harness.results.render.plain_text import tally

MOST_SHOWN = 20
"""Failing tests of one job that are named."""


def plan_table(entries: Sequence[Entry], seen: Mapping[str, float]) -> Table:
    """The jobs in the order in which they will run."""
    table = Table("kernel", "source", "series", "flavour", "QEMU", "tests", "priority", "will be")
    for entry in entries:
        job = entry.job
        will = f"run, {_minutes(expected(job, seen))}" if entry.run is None else _settled(entry)
        names = (job.series, job.flavour, job.qemu, job.group, str(job.priority))
        table.add_row(job.kernel, job.title, *names, will)
    return table


def night_table(entries: Sequence[Entry]) -> Table:
    """The jobs with their verdicts and results."""
    table = Table("kernel", "series", "flavour", "QEMU", "tests", "verdict", "results", "time")
    for entry in entries:
        job, run = entry.job, entry.run
        names = (job.kernel, job.series, job.flavour, job.qemu, job.group)
        verdict = "-" if entry.verdict is None else entry.verdict.value
        if entry.fate is not Fate.RUN:
            verdict = f"{verdict} ({entry.fate.value})" if run else entry.fate.value
        table.add_row(*names, verdict, *_results(run))
    return table


def complaints(entries: Sequence[Entry], lost: Sequence[Lost]) -> Iterator[str]:
    """A line for each failed test, and for each job without a verdict.

    The line of a test that ends the same without the series says that.
    """
    plain = {entry.job.name: entry.run for entry in entries if entry.job.series == PLAIN}
    for entry in entries:
        is_base = entry.job.series == PLAIN
        base = None if is_base else plain.get(replace(entry.job, series=PLAIN).name)
        for line in [*_failures(entry.run, base), *([entry.why] if entry.why else [])]:
            yield f"{entry.job.name}: {line}"
    yield from (f"{one.name}: {one.why}" for one in lost)


def _failures(run: Run | None, base: Run | None) -> Iterator[str]:
    if run is None:
        return
    if not run.tests:
        yield "no test ran; check the tests and the tier in the plan"
    bad = [one for one in run.tests if one.result.at_fault]
    for one in bad[:MOST_SHOWN]:
        before = base.case(one.test) if base else None
        note = " (without the series, too)" if before and before.result == one.result else ""
        yield f"{one.result}{note} {one.test} {one.message}".rstrip()
    if len(bad) > MOST_SHOWN:
        yield f"and {len(bad) - MOST_SHOWN} more"


def summary(entries: Sequence[Entry], lost: Sequence[Lost]) -> str:
    """How many jobs had which fate, as one line."""
    fates = Counter(entry.fate for entry in entries)
    fates[Fate.NOT_JUDGED] += len(lost)
    parts = [f"{fates[fate]} {fate.value}" for fate in Fate if fates[fate]]
    return f"{len(entries) + len(lost)} jobs: {', '.join(parts) or 'nothing'}"


def night_verdict(entries: Sequence[Entry], lost: Sequence[Lost]) -> Verdict:
    """The verdict on all jobs: BAD outranks NOT_JUDGED. A job that had no time does not count."""
    verdicts = [one.verdict for one in entries if one.verdict is not None]
    missing = [one for one in entries if one.fate is Fate.NOT_JUDGED]
    return overall([*verdicts, *(Verdict.NOT_JUDGED for _ in (*missing, *lost))])


def night_json(entries: Sequence[Entry], lost: Sequence[Lost]) -> list[dict[str, Any]]:
    """The jobs for programs; ``run`` is the id of a job's run in the history."""
    jobs = [
        {
            "job": entry.job.name,
            "key": entry.job.key,
            "source": entry.job.title,
            "kernel_key": entry.job.kernel_key,
            "fate": entry.fate.value,
            "verdict": entry.verdict.value if entry.verdict else None,
            "run": entry.run.id if entry.run else None,
            "results": dict(Counter(one.result for one in entry.run.tests)) if entry.run else {},
            "why": entry.why,
        }
        for entry in entries
    ]
    return [*jobs, *({"job": one.name, "fate": "not judged", "why": one.why} for one in lost)]


def _settled(entry: Entry) -> str:
    verdict = entry.verdict
    return f"{entry.fate.value} ({verdict.value})" if verdict else entry.fate.value


def _results(run: Run | None) -> tuple[str, str]:
    return (tally(run.tests), f"{run.seconds:.0f} s") if run else ("", "")


def _minutes(seconds: float) -> str:
    return f"about {seconds / 60:.0f} min" if seconds >= 60 else "time not known"
