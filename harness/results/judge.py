# SPDX-License-Identifier: Apache-2.0
"""Judge two runs of the same tests, without and with a series: a Change each, and one Verdict.

The only place that decides what counts as good: exit codes, ``Tested-by:`` tags, pages, mails,
bisection and the nightly job all use it; a single run has :func:`.verdict.verdict_of`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from harness.base.result import Result
from harness.results.case import Case
from harness.results.request import is_whole_suite
from harness.results.run import Run
from harness.results.verdict import Verdict, verdict_of


class Shown(Enum):
    """What all repetitions of one test on one kernel show together."""

    HELD = "held"  # PASS
    KNOWN = "known"  # the finding showed at least once, as docs/findings.md describes it
    VIOLATED = "violated"  # FAIL, CRASH or HANG, and never PASS
    MIXED = "mixed"  # FAIL, CRASH or HANG, and PASS as well
    SKIPPED = "skipped"  # the test does not apply to this kernel
    NOTHING = "nothing"  # ERROR or NOT_JUDGED, or it did not run: its worker died, the run ended


class Change(Enum):
    """How a test changed from the base to the patched kernel; the worst for a series first."""

    BROKEN = "broken"
    FLAKY = "flaky"  # it never failed on the base, and sometimes fails with the series
    NOT_JUDGED = "not judged"  # a result is missing on a side where it is needed
    STILL_FLAKY = "still flaky"  # it sometimes fails on the base too: not the series' fault
    STILL_FAILING = "still failing"  # it fails on the base too: not the series' fault
    FIXED = "fixed"
    KNOWN = "known"  # with the series it shows a finding that docs/findings.md describes
    PASSING = "passing"  # with the series; the base has no result
    STILL_PASSING = "still passing"
    SKIPPED = "skipped"  # on both kernels


def shown(cases: Iterable[Case]) -> Shown:
    """Return what *cases*, the outcomes of one test on one kernel, show.

    A repetition that ended as ERROR, NOT_JUDGED or SKIP does not count beside one that says
    something.
    """
    results = {one.result for one in cases}
    violated = any(one.against_kernel for one in results)
    if violated:
        return Shown.MIXED if Result.PASS in results else Shown.VIOLATED
    if Result.KNOWN in results:
        return Shown.KNOWN
    if Result.PASS in results:
        return Shown.HELD
    return Shown.SKIPPED if results == {Result.SKIP} else Shown.NOTHING


_OPEN = (Change.NOT_JUDGED, Change.NOT_JUDGED)

_CHANGES: Mapping[Shown, tuple[Change, ...]] = {
    # with the series:  HELD, KNOWN, VIOLATED, MIXED, SKIPPED, NOTHING
    Shown.HELD: (Change.STILL_PASSING, Change.KNOWN, Change.BROKEN, Change.FLAKY, *_OPEN),
    # FAIL where the base shows a finding: it fails in a way that the finding does not describe.
    Shown.KNOWN: (Change.FIXED, Change.KNOWN, Change.BROKEN, Change.FLAKY, *_OPEN),
    Shown.VIOLATED: (
        *(Change.FIXED, Change.STILL_FAILING, Change.STILL_FAILING, Change.STILL_FLAKY),
        *_OPEN,
    ),
    Shown.MIXED: (*(Change.STILL_FLAKY,) * 4, *_OPEN),
    # A failure with the series and no result on the base: there is nothing to compare with.
    Shown.SKIPPED: (
        *(Change.PASSING, Change.KNOWN, *_OPEN),
        *(Change.SKIPPED, Change.NOT_JUDGED),
    ),
    Shown.NOTHING: (Change.PASSING, Change.KNOWN, *_OPEN, *_OPEN),
}


def change_of(base: Iterable[Case], patched: Iterable[Case]) -> Change:
    """Return how a test changed, from all its outcomes on both kernels.

    PASS -> KNOWN is *known*, not *broken*: a finding whose test can pass on the same kernel
    depends on timing. PASS -> SKIP, or a test that did not run with the series, is *not judged*: a
    series must not hide a property from its test.
    """
    return _CHANGES[shown(base)][list(Shown).index(shown(patched))]


def verdict_of_changes(changes: Iterable[Change], complete: bool = True) -> Verdict:
    """Judge a series by the *changes* of all tests: BAD outranks NOT_JUDGED.

    It is judged if its run is *complete*, no test is FLAKY or NOT_JUDGED, and at least one test has
    a result with the series: a test that is skipped on both kernels says nothing.
    """
    found = set(changes)
    if Change.BROKEN in found:
        return Verdict.BAD
    doubts = found & {Change.FLAKY, Change.NOT_JUDGED}
    judged = found - {Change.SKIPPED}
    return Verdict.GOOD if complete and judged and not doubts else Verdict.NOT_JUDGED


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """Return one verdict for all: BAD outranks NOT_JUDGED; GOOD if there are none."""
    found = set(verdicts)
    ranked = (Verdict.BAD, Verdict.NOT_JUDGED)
    return next((one for one in ranked if one in found), Verdict.GOOD)


@dataclass(frozen=True)
class Difference:
    """A test, and all its outcomes on both kernels in the order in which they came."""

    test: str
    change: Change
    base: tuple[Case, ...]
    patched: tuple[Case, ...]

    @property
    def finding_gone(self) -> bool:
        """Whether a known finding showed on the base and does not show with the series."""
        return self.change is Change.FIXED and shown(self.base) is Shown.KNOWN

    @property
    def gap(self) -> Result | None:
        """Why a result is missing: ERROR, NOT_JUDGED or SKIP; None if none is, or it did not run.

        Of the repetitions with the series, or else on the base, the last counts.
        """
        case = self._open()
        return case.result if case else None

    @property
    def why_open(self) -> str:
        """What the case of :attr:`gap` says; empty if there is none."""
        case = self._open()
        return case.message if case else ""

    def _open(self) -> Case | None:
        sides = ((self.patched, shown(self.patched)), (self.base, shown(self.base)))
        open_ = (side for side, seen in sides if seen in (Shown.SKIPPED, Shown.NOTHING))
        return next((side[-1] for side in open_ if side), None)


@dataclass(frozen=True)
class Comparison:
    """The runs without and with a series, and a Difference for each test.

    *coverage* says in a few lines which of the lines that the series adds have run, *costs* which
    instructions and copied bytes differ; empty if that was not measured.
    """

    base: Run
    patched: Run
    differences: tuple[Difference, ...]
    coverage: tuple[str, ...] = ()
    costs: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The judgement on the series, see :func:`verdict_of_changes`."""
        changes = (one.change for one in self.differences)
        return verdict_of_changes(changes, self.patched.complete)

    @property
    def findings_gone(self) -> tuple[Difference, ...]:
        """Tests of known findings that do not show with the series."""
        return tuple(one for one in self.differences if one.finding_gone)

    def having(self, *changes: Change) -> tuple[Difference, ...]:
        """Tests classified as one of *changes*."""
        return tuple(one for one in self.differences if one.change in changes)


def sides(subject: Run | Comparison) -> Mapping[str, Run]:
    """The runs of *subject*, by the names that reports have for them."""
    if isinstance(subject, Comparison):
        return {"base": subject.base, "series": subject.patched}
    return {"suite": subject}


def judged(subject: Run | Comparison) -> Verdict:
    """The verdict on the kernel of a run, or on the series of a comparison."""
    return subject.verdict if isinstance(subject, Comparison) else verdict_of(subject)


def earns_tag(subject: Run | Comparison) -> bool:
    """Whether ``Tested-by:`` may be said: the verdict is GOOD, and on the whole suite."""
    whole = all(is_whole_suite(run.words) for run in sides(subject).values())
    return whole and judged(subject) is Verdict.GOOD


def compare(base: Run, patched: Run) -> Comparison:
    """Compare two runs; each may hold a test several times."""
    before, after = _by_test(base), _by_test(patched)
    return Comparison(
        base,
        patched,
        tuple(
            Difference(test, change_of(olds, news), olds, news)
            for test in dict.fromkeys((*before, *after))
            for olds, news in [(before.get(test, ()), after.get(test, ()))]
        ),
    )


def _by_test(run: Run) -> dict[str, tuple[Case, ...]]:
    tests: dict[str, tuple[Case, ...]] = {}
    for one in run.tests:
        tests[one.test] = (*tests.get(one.test, ()), one)
    return tests
