# SPDX-License-Identifier: Apache-2.0
"""Running the VM suite on one kernel in a process of its own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base.errors import HarnessError
from harness.jobs.mutants.mutant import Mutant
from harness.jobs.mutants.mutant_trial import Judgement, weigh
from harness.results import Case, SuiteRequest, run_tests

CPUS = os.cpu_count() or 1
FEW, ALL = CPUS, CPUS * 3 // 2
"""Workers: tests wait for their guests, as scripts/run says; but a worker takes seconds to start,
and that is too long for the tests of a few properties."""


@dataclass(frozen=True)
class SuiteRun:
    """Runs the suite on *mutant*'s kernel; logs and reports go to *directory*."""

    mutant: Mutant
    directory: Path

    def failures(self) -> list[Case]:
        """The tests that speak against the kernel; none if no test does.

        Asked first are those that ask for the mutant's flavour themselves, then all that name what
        it breaks, and the whole suite if they have nothing to say. Raises HarnessError if all that
        went wrong was the harness's fault.
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
            f"{errors[0].message}. pytest's words are in {self._log}"
        )

    def _questions(self) -> Iterator[SuiteRequest]:
        """Which tests to ask: ever more of them. No artifacts are kept of them."""
        mutant = self.mutant
        whole = SuiteRequest(mutant.spec, tier=mutant.tier, workers=ALL, keep="none")
        few = replace(whole, properties=mutant.breaks, workers=FEW)
        if mutant.breaks and mutant.flavour:
            yield replace(few, match=mutant.flavour)
        if mutant.breaks:
            yield few
        yield whole

    def _ask(self, request: SuiteRequest) -> list[Case]:
        """The failures and errors of the tests that are asked.

        The run ends at the first; if that is not for the right reason, or is the harness's own,
        the run is repeated to its end.
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
