# SPDX-License-Identifier: Apache-2.0
"""The judgement on a series as data: what its patches break and repair, and the results."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.base.result import Result
from harness.jobs.cost import CostChange, beyond
from harness.kernel.patches.apply import Attempt, Fit
from harness.kernel.patches.mail import Mail
from harness.kernel.patches.series import Series
from harness.kernel.patches.unpacked import Trial
from harness.results import Case, Verdict
from harness.results.judge import Change, Comparison, Difference, overall

_VERDICTS = {
    **{one: Verdict.BAD for one in Result if one.against_kernel},
    Result.NOT_JUDGED: Verdict.NOT_JUDGED,
}
"""What a KUnit test says against a series."""


@dataclass(frozen=True)
class Failure:
    """Why there is no run at a position of the series.

    *build* if that is the fault of the patches: the kernel does not compile with them, or has no
    restricted pools any more. *reason* is a sentence; lines after its first are printed unchanged.
    """

    reason: str
    build: bool = False


@dataclass(frozen=True)
class Step:
    """The kernel at *position* of the series, against the one at *since*, or why not."""

    since: int
    position: int
    outcome: Comparison | Failure

    @property
    def differences(self) -> tuple[Difference, ...]:
        """How each test changed; nothing if it was not judged."""
        return self.outcome.differences if isinstance(self.outcome, Comparison) else ()

    @property
    def verdict(self) -> Verdict:
        """The verdict on the patches between: BAD too if no kernel to test comes of them."""
        if isinstance(self.outcome, Comparison):
            return self.outcome.verdict
        return Verdict.BAD if self.outcome.build else Verdict.NOT_JUDGED

    def having(self, *changes: Change) -> tuple[Difference, ...]:
        """Tests classified as one of *changes*."""
        return tuple(one for one in self.differences if one.change in changes)


@dataclass(frozen=True)
class SeriesJudgement:
    """The judgement on *series* on the kernel *base*: on all of it, and on each patch if asked.

    *attempts*: whether each patch applies to the base; *coverage*: which added lines ran;
    *elsewhere*: a series that does not apply to the base, tried on the cached kernels;
    *costs*: instructions and copied bytes that differ, of which none may grow by more than
    *cost_limit* per cent;
    *warnings*: what the build with the series warns of, and that without it does not; *notes*: what
    of the series is not in the kernel that was tested, a sentence each; *kunit*: the KUnit tests in
    files that it changes.
    """

    base: str
    series: Series
    attempts: tuple[Attempt, ...]
    whole: Step
    patches: tuple[Step, ...] = ()
    coverage: tuple[str, ...] = ()
    elsewhere: tuple[Trial, ...] = ()
    costs: tuple[CostChange, ...] = ()
    cost_limit: float | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kunit: tuple[Case, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The verdict on the whole series and on each patch: BAD outranks NOT_JUDGED.

        Tests say nothing about a series that changes nothing in the kernel.
        """
        refused = [Verdict.NOT_JUDGED for one in self.attempts if one.fit is Fit.REFUSED]
        same = [Verdict.NOT_JUDGED] if self.changes_nothing and not self.kunit else []
        dear = [Verdict.BAD for _ in beyond(self.costs, self.cost_limit)]
        kunit = [_VERDICTS[one.result] for one in self.kunit if one.result in _VERDICTS]
        steps = [one.verdict for one in (self.whole, *self.patches)]
        return overall([*steps, *refused, *same, *kunit, *dear])

    @property
    def changes_nothing(self) -> bool:
        """Whether the kernels with and without the series are the same, byte for byte."""
        whole = self.whole.outcome
        if not isinstance(whole, Comparison):
            return False
        return whole.base.provenance.build_id == whole.patched.provenance.build_id

    def repaired_by(self, broken: Difference, at: int) -> int | None:
        """The first patch after number *at* with which the test passes again, None if none is."""
        for step in self.patches:
            if step.position > at and any(
                one.test == broken.test for one in step.having(Change.FIXED)
            ):
                return step.position
        return None


def as_json(judgement: SeriesJudgement) -> Mapping[str, Any]:
    """The judgement for programs."""
    series = judgement.series
    return {
        "verdict": judgement.verdict.value,
        "base": judgement.base,
        "series": {
            "origin": series.origin,
            "title": series.title,
            "cover": series.cover.message if series.cover else "",
            "patches": [_mail(mail) for mail in series.patches],
            "skipped": [asdict(one) for one in series.skipped],
            "missing": series.missing,
            "note": series.note,
            "needs": asdict(series.needs),
        },
        "applies": [{**asdict(one), "fit": one.fit.value} for one in judgement.attempts],
        "elsewhere": [one.label for one in judgement.elsewhere if one.applies],
        "whole": _step(judgement.whole),
        "patches": [_step(step) for step in judgement.patches],
        "coverage": judgement.coverage,
        "costs": [asdict(one) for one in judgement.costs],
        "warnings": judgement.warnings,
        "notes": judgement.notes,
        "kunit": [asdict(one) for one in judgement.kunit],
    }


def _mail(mail: Mail) -> Mapping[str, Any]:
    return {name: value for name, value in asdict(mail).items() if name != "diff"}


def _step(step: Step) -> Mapping[str, Any]:
    where = {"since": step.since, "position": step.position}
    if isinstance(step.outcome, Failure):
        return {**where, "judged": False, **asdict(step.outcome)}
    return {
        **where,
        "judged": True,
        "base": asdict(step.outcome.base.provenance),
        "patched": asdict(step.outcome.patched.provenance),
        "tests": [{**asdict(one), "change": one.change.value} for one in step.differences],
    }
