# SPDX-License-Identifier: Apache-2.0
"""The verdict on a series, as data: what its patches broke and repaired, and what it rests on."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from harness.kernel.patches.apply import Attempt, Fit
from harness.kernel.patches.mail import Mail
from harness.kernel.patches.series import Series
from harness.results.render import Change, Comparison, Difference

SKIP, PASS = "SKIP", "PASS"


class Answer(Enum):
    """What a program is told, as an exit code."""

    NOTHING_BROKEN = 0
    BROKEN = 1
    NOT_JUDGED = 2


@dataclass(frozen=True)
class Failure:
    """Why there is no run at a position of the series; *build* if the kernel did not compile."""

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
        """What became of each test; nothing if it was not judged."""
        return self.outcome.differences if isinstance(self.outcome, Comparison) else ()

    def having(self, change: Change) -> tuple[Difference, ...]:
        """The tests of which *change* became."""
        return tuple(one for one in self.differences if one.change is change)


@dataclass(frozen=True)
class Verdict:
    """The verdict on *series* on the kernel *base*: as a whole, and for each patch if asked.

    *attempts* say of each patch whether it fits the base, *coverage* which of its lines ran.
    """

    base: str
    series: Series
    attempts: tuple[Attempt, ...]
    whole: Step
    patches: tuple[Step, ...] = ()
    coverage: tuple[str, ...] = ()

    @property
    def answer(self) -> Answer:
        """The worst that is known: what is broken is broken, whatever else was not judged."""
        steps = (self.whole, *self.patches)
        if any(map(_breaks, steps)):
            return Answer.BROKEN
        if any(map(_open, steps)) or any(one.fit is Fit.REFUSED for one in self.attempts):
            return Answer.NOT_JUDGED
        return Answer.NOTHING_BROKEN

    def repaired_by(self, broken: Difference, at: int) -> int | None:
        """The first patch after number *at* with which the test passes again, None if none is."""
        for step in self.patches:
            if step.position > at and any(
                one.test == broken.test for one in step.having(Change.FIXED)
            ):
                return step.position
        return None


def skipped(one: Difference) -> bool:
    """Whether a test was skipped on both kernels, so that there is nothing to judge."""
    both = (*one.base, *one.patched)
    return bool(one.base and one.patched) and all(outcome.result == SKIP for outcome in both)


def unjudged(step: Step) -> Iterator[Difference]:
    """The tests of which nobody can say whether the series broke them.

    Such is a flaky one too, if it always passed on the base.
    """
    for one in step.differences:
        if one.change is Change.NOT_JUDGED and not skipped(one):
            yield one
        if one.change is Change.FLAKY and all(outcome.result == PASS for outcome in one.base):
            yield one


def as_json(verdict: Verdict) -> Mapping[str, Any]:
    """The verdict for programs."""
    series = verdict.series
    return {
        "answer": verdict.answer.name.lower().replace("_", " "),
        "base": verdict.base,
        "series": {
            "origin": series.origin,
            "title": series.title,
            "cover": series.cover.message if series.cover else "",
            "patches": [_mail(mail) for mail in series.patches],
            "skipped": [asdict(one) for one in series.skipped],
            "missing": series.missing,
        },
        "applies": [{**asdict(one), "fit": one.fit.value} for one in verdict.attempts],
        "whole": _step(verdict.whole),
        "patches": [_step(step) for step in verdict.patches],
        "coverage": verdict.coverage,
    }


def _breaks(step: Step) -> bool:
    if isinstance(step.outcome, Failure):
        return step.outcome.build
    return bool(step.having(Change.BROKEN))


def _open(step: Step) -> bool:
    return isinstance(step.outcome, Failure) or any(True for _ in unjudged(step))


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
