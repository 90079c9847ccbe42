# SPDX-License-Identifier: Apache-2.0
"""Try a repair: the tests of its finding and the default suite, with and without it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from harness.base.errors import BuildError, SeriesError
from harness.jobs.compare.kernel_runs import REPEATS, Kernels, Runner, compared, run_all
from harness.jobs.compare.series_judgement import Failure
from harness.jobs.compare.stages import Stage, estimate
from harness.jobs.fixes.fix import Fix
from harness.results import SuiteRequest, Verdict
from harness.results.judge import Change, Comparison, Difference, Shown, overall, shown
from harness.results.render.plain_text import finding_of


class FixOutcome(Enum):
    """What a repair does."""

    REPAIRED = "repaired"  # the finding does not show any more, and nothing else changes
    NOT_REPAIRED = "NOT REPAIRED"  # it shows in spite of the repair
    BREAKS = "BREAKS"  # another test fails, or the kernel does not compile
    NOT_SHOWN = "not shown"  # it did not show without the repair, so nothing can be said
    NOT_JUDGED = "not judged"

    @property
    def verdict(self) -> Verdict:
        """GOOD if the repair is proven, BAD if it is wrong."""
        if self is FixOutcome.REPAIRED:
            return Verdict.GOOD
        wrong = self in (FixOutcome.NOT_REPAIRED, FixOutcome.BREAKS)
        return Verdict.BAD if wrong else Verdict.NOT_JUDGED


@dataclass(frozen=True)
class FixTrial:
    """Repair *name* on kernel *version*: the tests of its finding, and the default suite.

    Each is a Comparison of both kernels, or the reason why there is none.
    """

    name: str
    version: str
    finding: Comparison | Failure
    suite: Comparison | Failure

    @property
    def outcome(self) -> FixOutcome:
        """The judgement: a broken test outranks a finding that still shows."""
        parts = (self.finding, self.suite)
        if any(isinstance(one, Failure) and one.build for one in parts):
            return FixOutcome.BREAKS
        if any(isinstance(one, Failure) for one in parts):
            return FixOutcome.NOT_JUDGED
        verdict = overall(one.verdict for one in parts if isinstance(one, Comparison))
        if self.tests and verdict is not Verdict.GOOD:
            return FixOutcome.BREAKS if verdict is Verdict.BAD else FixOutcome.NOT_JUDGED
        showing = [one for one in self.tests if shown(one.base) is Shown.KNOWN]
        if not showing:
            return FixOutcome.NOT_SHOWN
        gone = all(one.change is Change.FIXED for one in showing)
        return FixOutcome.REPAIRED if gone else FixOutcome.NOT_REPAIRED

    @property
    def tests(self) -> tuple[Difference, ...]:
        """The tests of the finding."""
        return self.finding.differences if isinstance(self.finding, Comparison) else ()

    @property
    def before(self) -> str:
        """How the tests of the finding ended without the repair, for example ``2 known``."""
        return _tally(shown(one.base) for one in self.tests)

    @property
    def after(self) -> str:
        """The same with the repair."""
        return _tally(shown(one.patched) for one in self.tests)

    @property
    def changed(self) -> tuple[Difference, ...]:
        """Tests of the suite that the repair changes."""
        if isinstance(self.suite, Failure):
            return ()
        return self.suite.having(
            Change.BROKEN, Change.FLAKY, Change.NOT_JUDGED, Change.FIXED, Change.STILL_FLAKY
        )

    @property
    def reason(self) -> str:
        """Why it is not judged; empty if it is."""
        failures = (one for one in (self.finding, self.suite) if isinstance(one, Failure))
        return next((one.reason for one in failures), "")


def try_fix(
    fix: Fix, version: str, request: SuiteRequest, runner: Runner, base_runner: Runner
) -> FixTrial:
    """Try *fix* on kernel *version*, whose source is in *request*, in the fix's flavour."""
    request = replace(request, spec=replace(request.spec, flavour=fix.flavour))
    tests = replace(request, findings=(fix.finding,))
    series = fix.series(version)
    return _trial(fix.finding, version, (tests, request), series, (runner, base_runner))


def estimate_trial(
    series: tuple[Path, ...], findings: tuple[str, ...], request: SuiteRequest
) -> tuple[Stage, ...]:
    """What it takes to try a *series* on the kernel of *request*, and how long it took before."""
    both = (replace(request, findings=findings), request)
    return tuple(stage for one in both for stage in estimate(_kernels(one, series)))


def _kernels(request: SuiteRequest, series: tuple[Path, ...]) -> Kernels:
    patched = replace(request, spec=replace(request.spec, series=series))
    return Kernels({0: request, 1: patched}, {0: request.spec.source, 1: "with the repair"})


def try_together(
    series: tuple[Path, ...],
    findings: tuple[str, ...],
    version: str,
    request: SuiteRequest,
    runners: tuple[Runner, Runner],
) -> tuple[FixTrial, ...]:
    """Try all repairs as one *series*, with the tests of all *findings*.

    Returns a trial for each finding, of its tests alone, and last the one of all of them.
    """
    tests = replace(request, findings=findings)
    whole = _trial("all of them", version, (tests, request), series, runners)
    if isinstance(whole.finding, Failure):
        return (whole,)
    parts = ((name, _showing(whole.finding, name)) for name in findings)
    return (*(FixTrial(name, version, part, part) for name, part in parts), whole)


def _showing(comparison: Comparison, finding: str) -> Comparison:
    """The tests of *comparison* that show *finding* on the base."""
    own = (
        one
        for one in comparison.differences
        if any(finding_of(case) == finding for case in one.base)
    )
    return replace(comparison, differences=tuple(own))


def _trial(
    name: str,
    version: str,
    requests: tuple[SuiteRequest, SuiteRequest],
    series: tuple[Path, ...],
    runners: tuple[Runner, Runner],
) -> FixTrial:
    finding, suite = (_compared(one, series, *runners) for one in requests)
    return FixTrial(name, version, finding, suite)


def _compared(
    request: SuiteRequest, series: tuple[Path, ...], runner: Runner, base_runner: Runner
) -> Comparison | Failure:
    try:
        runs = run_all(_kernels(request, series), runner, REPEATS, base_runner)
    except SeriesError as fault:
        return Failure(f"it does not apply: {fault}")
    except BuildError as fault:  # of the base
        return Failure(str(fault))
    return compared(runs[0], runs[1])


def _tally(tests: Iterable[Shown]) -> str:
    counts = Counter(tests)
    return ", ".join(f"{counts[one]} {one.value}" for one in Shown if counts[one]) or "none"
