# SPDX-License-Identifier: Apache-2.0
"""The verdict as a mail, as pages, and as runs that ``harness report`` reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.jobs.compare.text import verdict_text
from harness.jobs.compare.verdict import Answer, Step, Verdict
from harness.results import Run, save_run
from harness.results.render import Change, Comparison, Inputs, artifacts_of, mail, page

CHANGED = (Change.BROKEN, Change.FIXED, Change.FLAKY)


def mail_text(verdict: Verdict, tester: str = "") -> str:
    """A block for a reply; *tester* gets a Tested-by tag if nothing is broken, on the way either.

    Judged patch by patch, it is the whole text; else what any comparison has.
    """
    tag = tester if verdict.answer is Answer.NOTHING_BROKEN else ""
    whole = comparison(verdict)
    if whole and not verdict.patches:
        return mail(whole, artifacts_of((whole.base, whole.patched)), tag)
    text = verdict_text(verdict)
    return f"{text}\nTested-by: {tag}\n" if tag else text


Durations = Mapping[str, Sequence[float]]
"""Seconds that each test took in its last runs."""


def pages(verdict: Verdict, file: Path, durations: Durations) -> Iterator[tuple[Path, str]]:
    """A page of the whole series for *file*, and others beside it of patches that changed a result.

    Their names end in the patch's number.
    """
    whole = comparison(verdict)
    if whole:
        yield file, _page(whole, durations)
    for step in verdict.patches:
        if isinstance(step.outcome, Comparison) and any(map(step.having, CHANGED)):
            yield file.with_stem(f"{file.stem}-{step.position:04}"), _page(step.outcome, durations)


def save_runs(verdict: Verdict, directory: Path) -> None:
    """Write the run at each position of the series to ``NNNN.json``; 0 is the base."""
    directory.mkdir(parents=True, exist_ok=True)
    for step in (verdict.whole, *verdict.patches):
        for position, run in _runs(step):
            save_run(run, directory / f"{position:04}.json")


def comparison(verdict: Verdict) -> Comparison | None:
    """The whole series against the base, with the coverage of its lines."""
    whole = verdict.whole.outcome
    return replace(whole, coverage=verdict.coverage) if isinstance(whole, Comparison) else None


def _page(one: Comparison, durations: Durations) -> str:
    return page(one, Inputs(artifacts_of((one.base, one.patched)), durations))


def _runs(step: Step) -> Iterator[tuple[int, Run]]:
    if isinstance(step.outcome, Comparison):
        yield step.since, step.outcome.base
        yield step.position, step.outcome.patched
