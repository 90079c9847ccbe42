# SPDX-License-Identifier: Apache-2.0
"""Run the VM suite on the kernel of a mutant."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base.cpus import guests_at_once, usable_cpus
from harness.base.errors import HarnessError
from harness.jobs.mutants.mutant import Mutant
from harness.jobs.mutants.mutant_trial import Judgement, weigh
from harness.results import Case, SuiteRequest, run_tests

FEW, ALL = usable_cpus(), guests_at_once()
"""Workers: one takes seconds to start, which is too long for the tests of a few properties."""


@dataclass(frozen=True)
class SuiteRun:
    """Runs the suite on *mutant*'s kernel; logs and reports go to *directory*."""

    mutant: Mutant
    directory: Path

    def failures(self) -> list[Case]:
        """The tests that fail on the mutant; none if it survives.

        First run the tests of the mutant's flavour, then all that name a property it breaks, then
        the whole suite; stop at the first step with a failure. Raises HarnessError if tests ended
        as ERROR and none failed.
        """
        errors: list[Case] = []
        for request in self._questions():
            bad = self._ask(request)
            failures = [one for one in bad if one.against_kernel]
            if failures:
                return failures
            errors = bad
        if not errors:
            return []
        raise HarnessError(
            f"{len(errors)} tests could not be run, the first of them {errors[0].test}: "
            f"{errors[0].message}. pytest's output is in {self._log}"
        )

    def _questions(self) -> Iterator[SuiteRequest]:
        """The requests, each with more tests. They keep no artifacts."""
        mutant = self.mutant
        whole = SuiteRequest(mutant.spec, tier=mutant.tier, workers=ALL, keep="none")
        few = replace(whole, properties=mutant.breaks, workers=FEW)
        if mutant.breaks and mutant.flavour:
            yield replace(few, match=mutant.flavour)
        if mutant.breaks:
            yield few
        yield whole

    def _ask(self, request: SuiteRequest) -> list[Case]:
        """The failures and errors of the requested tests.

        The run stops at the first. If that is an error or does not kill the mutant for the right
        reason, the run is repeated without a limit.
        """
        bad: list[Case] = []
        for limit in (1, 0):
            run = run_tests(replace(request, max_failures=limit), self._log)
            bad = [one for one in run.tests if one.result.at_fault]
            failures = [one for one in bad if one.against_kernel]
            if not bad or weigh(self.mutant, failures) is Judgement.KILLED:
                break
        return bad

    @property
    def _log(self) -> Path:
        return self.directory / "pytest.log"
