# SPDX-License-Identifier: Apache-2.0
"""Running the VM suite on one kernel in a process of its own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import HarnessError
from harness.jobs.mutants.mutant import Mutant
from harness.jobs.mutants.mutant_trial import Judgement, weigh
from harness.results.case import Case
from harness.results.suite import run_pytest

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
        for words in self._questions():
            bad = self._ask(*words)
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

    def _questions(self) -> Iterator[tuple[str, ...]]:
        """Which tests to ask, as words for pytest: ever more of them."""
        properties = [f"--property={one}" for one in self.mutant.breaks]
        if properties and self.mutant.flavour:
            yield (f"-n{FEW}", *properties, "-k", self.mutant.flavour)
        if properties:
            yield (f"-n{FEW}", *properties)
        yield (f"-n{ALL}",)

    def _ask(self, *chosen: str) -> list[Case]:
        """The failures and errors of the *chosen* tests.

        The run ends at the first; if that is not for the right reason, or is the harness's own,
        the run is repeated to its end.
        """
        bad: list[Case] = []
        for words in (("-x",), ()):
            bad = [one for one in self._run(*chosen, *words) if one.result.at_fault]
            failures = [one for one in bad if one.against_kernel]
            if not bad or weigh(self.mutant, failures) is Judgement.KILLED:
                break
        return bad

    @property
    def _log(self) -> Path:
        return self.directory / "pytest.log"

    def _run(self, *words: str) -> tuple[Case, ...]:
        """How the tests end that *words* choose; no artifacts are kept of them."""
        mutant = self.mutant
        outcomes, _ = run_pytest(
            [
                *("harness/suite", "--keep=none", f"--series={mutant.path}"),
                *(f"--tier={mutant.tier}", f"--flavour={mutant.flavour}", *words),
            ],
            self._log,
        )
        return outcomes
