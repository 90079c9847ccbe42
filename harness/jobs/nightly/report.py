# SPDX-License-Identifier: Apache-2.0
"""What a night came to: a table, lines for a person, an exit code, JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rich.table import Table

from harness.jobs.nightly.expand import Lost
from harness.jobs.nightly.plan import PLAIN
from harness.jobs.nightly.schedule import expected
from harness.jobs.nightly.verdict import Entry, Fate, Verdict
from harness.results import Run

WELL, BROKEN, NOT_JUDGED = 0, 1, 2
"""Exit codes: nothing speaks against a kernel; something does; nothing does, but not all could be
judged. A job that had no time is none of these."""

MOST_SHOWN = 20
"""Failing tests of one job that are named."""


def plan_table(entries: Sequence[Entry], seen: Mapping[str, float]) -> Table:
    """The jobs in the order of running, before anything is run."""
    table = Table("kernel", "source", "series", "flavour", "QEMU", "tests", "priority", "will be")
    for entry in entries:
        job = entry.job
        will = f"run, {_minutes(expected(job, seen))}" if entry.run is None else _settled(entry)
        names = (job.series, job.flavour, job.qemu, job.group, str(job.priority))
        table.add_row(job.kernel, job.title, *names, will)
    return table


def night_table(entries: Sequence[Entry]) -> Table:
    """The jobs and their verdicts."""
    table = Table("kernel", "series", "flavour", "QEMU", "tests", "verdict", "results", "time")
    for entry in entries:
        job, run = entry.job, entry.run
        names = (job.kernel, job.series, job.flavour, job.qemu, job.group)
        verdict = "-" if entry.verdict is None else entry.verdict.value
        if entry.fate is not Fate.RUN:
            verdict = f"{verdict} ({entry.fate.value})" if run else entry.fate.value
        table.add_row(*names, verdict, _counts(run), f"{run.seconds:.0f} s" if run else "")
    return table


def complaints(entries: Sequence[Entry], lost: Sequence[Lost]) -> Iterator[str]:
    """A line for each test that was not passed, and for each job without a verdict.

    What ends the same on the kernel without the series is not the series' fault, and says so.
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
        yield "no test was run; does the plan name any that its tier has?"
    bad = [one for one in run.tests if one.result.at_fault]
    for one in bad[:MOST_SHOWN]:
        before = base.outcome(one.test) if base else None
        note = " (without the series, too)" if before and before.result == one.result else ""
        yield f"{one.result}{note} {one.test} {one.message}".rstrip()
    if len(bad) > MOST_SHOWN:
        yield f"and {len(bad) - MOST_SHOWN} more"


def summary(entries: Sequence[Entry], lost: Sequence[Lost]) -> str:
    """How many jobs had which fate, in a line."""
    fates = Counter(entry.fate for entry in entries)
    fates[Fate.NOT_JUDGED] += len(lost)
    parts = [f"{fates[fate]} {fate.value}" for fate in Fate if fates[fate]]
    return f"{len(entries) + len(lost)} jobs: {', '.join(parts) or 'nothing'}"


def exit_code(entries: Sequence[Entry], lost: Sequence[Lost]) -> int:
    """WELL, BROKEN or NOT_JUDGED; what is unchanged counts as it did."""
    if any(entry.verdict is Verdict.FAIL for entry in entries):
        return BROKEN
    unsure = any(
        entry.fate is Fate.NOT_JUDGED or entry.verdict is Verdict.ERROR for entry in entries
    )
    return NOT_JUDGED if unsure or lost else WELL


def night_json(entries: Sequence[Entry], lost: Sequence[Lost]) -> list[dict[str, Any]]:
    """The same for machines: a job each; *run* is its run's id in the history."""
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


def _counts(run: Run | None) -> str:
    counts = Counter(one.result for one in run.tests) if run else {}
    return "  ".join(f"{result} {count}" for result, count in sorted(counts.items()))


def _minutes(seconds: float) -> str:
    return f"about {seconds / 60:.0f} min" if seconds >= 60 else "time not known"
