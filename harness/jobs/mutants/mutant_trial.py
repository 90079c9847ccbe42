# SPDX-License-Identifier: Apache-2.0
"""The trial of a mutant as data: its judgement, and the tests that failed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path

from harness.jobs.mutants.mutant import Mutant
from harness.results.case import Case, case_from
from harness.results.verdict import Verdict

FILE = "verdict.json"


class Judgement(Enum):
    """What a run on a mutant says about the suite."""

    KILLED = "killed"  # a test failed that names a property which the mutant breaks
    WRONG_REASON = "wrong reason"  # tests failed, and none names such a property
    SURVIVED = "SURVIVED"  # no test failed on a kernel with a bug
    PASSED = "passed"  # no test failed on a harmless one
    ACCUSED = "ACCUSED"  # a test failed on a harmless one

    @property
    def is_good(self) -> bool:
        """Whether the suite judged the mutant right."""
        return self in (Judgement.KILLED, Judgement.PASSED)

    @property
    def verdict(self) -> Verdict:
        """The verdict on the suite: BAD if it does not see the bug, or sees one without a bug."""
        return Verdict.GOOD if self.is_good else Verdict.BAD


@dataclass(frozen=True)
class MutantTrial:
    """The judgement on mutant *name*, the tests that failed, and how long it took in seconds.

    *tests* are the test files that the judgement depends on, with their hashes.
    """

    name: str
    judgement: Judgement
    failed: tuple[Case, ...]
    build_seconds: float
    test_seconds: float
    tests: Mapping[str, str] = field(default_factory=dict)

    def save(self, directory: Path) -> None:
        """Write it into *directory*."""
        stored = {**asdict(self), "judgement": self.judgement.name}
        (directory / FILE).write_text(json.dumps(stored, indent=1) + "\n")


def load_trial(directory: Path) -> MutantTrial:
    """Read what :meth:`MutantTrial.save` wrote."""
    stored = json.loads((directory / FILE).read_text())
    failed = tuple(case_from(one) for one in stored.pop("failed"))
    judgement = Judgement[stored.pop("judgement")]
    return MutantTrial(judgement=judgement, failed=failed, **stored)


def weigh(mutant: Mutant, failed: Sequence[Case]) -> Judgement:
    """Judge by the tests that *failed*: one of them must name a property that the mutant breaks."""
    if mutant.harmless:
        return Judgement.ACCUSED if failed else Judgement.PASSED
    if not failed:
        return Judgement.SURVIVED
    named = {one for outcome in failed for one in outcome.violated}
    return Judgement.KILLED if named & set(mutant.breaks) else Judgement.WRONG_REASON
