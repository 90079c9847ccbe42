# SPDX-License-Identifier: Apache-2.0
"""The verdict on a run, and its exit code: the one definition."""

from enum import Enum

from harness.base.result import Result
from harness.results.run import Run


class Verdict(Enum):
    """The verdict on a kernel, a series or a suite. The value is for people."""

    GOOD = "good"
    BAD = "bad"
    NOT_JUDGED = "not judged"

    @property
    def exit_code(self) -> int:
        """0: the kernel is good; 1: it is at fault; 2: not judged."""
        return _EXIT_CODES[self]


_EXIT_CODES = {Verdict.GOOD: 0, Verdict.BAD: 1, Verdict.NOT_JUDGED: 2}


def verdict_of(run: Run) -> Verdict:
    """Judge *run*: BAD outranks NOT_JUDGED, because a failure stays a failure.

    A run is judged if it is complete, at least one test shows whether a property held, and none
    ended as ERROR or NOT_JUDGED. KNOWN is good, and so is SKIP beside tests that ran.
    """
    results = {one.result for one in run.tests}
    if any(one.against_kernel for one in results):
        return Verdict.BAD
    missing = Result.NOT_JUDGED in results or any(one.against_harness for one in results)
    judged = any(one.held is not None for one in results)
    return Verdict.GOOD if judged and run.complete and not missing else Verdict.NOT_JUDGED
