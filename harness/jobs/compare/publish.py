# SPDX-License-Identifier: Apache-2.0
"""Write a judgement as a mail, as pages, and as runs that ``harness report`` reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.jobs.compare.difference_lists import MOST
from harness.jobs.compare.series_judgement import SeriesJudgement, Step
from harness.jobs.compare.series_text import judgement_text
from harness.jobs.cost import change_lines
from harness.results import Run, Verdict, save_run
from harness.results.judge import Change, Comparison, earns_tag
from harness.results.render import Inputs, artifacts_of, mail, page

CHANGED = (Change.BROKEN, Change.FIXED, Change.FLAKY)


def mail_text(judgement: SeriesJudgement, tester: str = "") -> str:
    """Text for a reply by mail, with a Tested-by tag of *tester* if the series earns it.

    It is the whole text for a series judged patch by patch, else the mail of a comparison.
    """
    whole = comparison(judgement)
    good = judgement.verdict is Verdict.GOOD and whole is not None and earns_tag(whole)
    tag = tester if good else ""
    if whole and not judgement.patches:
        return mail(whole, artifacts_of((whole.base, whole.patched)), tag)
    text = judgement_text(judgement)
    return f"{text}\nTested-by: {tag}\n" if tag else text


Durations = Mapping[str, Sequence[float]]
"""Seconds that each test took in its last runs."""


def pages(
    judgement: SeriesJudgement, file: Path, durations: Durations
) -> Iterator[tuple[Path, str]]:
    """The page of the whole series for *file*, and one for each patch that changes a result.

    The names of the latter end in the patch's number.
    """
    whole = comparison(judgement)
    if whole:
        yield file, _page(whole, durations)
    for step in judgement.patches:
        if isinstance(step.outcome, Comparison) and step.having(*CHANGED):
            yield file.with_stem(f"{file.stem}-{step.position:04}"), _page(step.outcome, durations)


def save_runs(judgement: SeriesJudgement, directory: Path) -> None:
    """Write the run at each position of the series to ``NNNN.json``; 0 is the base."""
    directory.mkdir(parents=True, exist_ok=True)
    for step in (judgement.whole, *judgement.patches):
        for position, run in _runs(step):
            save_run(run, directory / f"{position:04}.json")


def comparison(judgement: SeriesJudgement) -> Comparison | None:
    """The whole series against the base, with the coverage of its lines, and what they cost."""
    whole = judgement.whole.outcome
    if not isinstance(whole, Comparison):
        return None
    costs = change_lines(judgement.costs, MOST)
    return replace(whole, coverage=judgement.coverage, costs=costs)


def _page(one: Comparison, durations: Durations) -> str:
    return page(one, Inputs(artifacts_of((one.base, one.patched)), durations))


def _runs(step: Step) -> Iterator[tuple[int, Run]]:
    if isinstance(step.outcome, Comparison):
        yield step.since, step.outcome.base
        yield step.position, step.outcome.patched
