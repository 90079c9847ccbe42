# SPDX-License-Identifier: Apache-2.0
"""What a run says of its kernel, and the exit code that tells a program: the one definition."""

from enum import Enum

from harness.base.result import Result
from harness.results.run import Run


class Verdict(Enum):
    """What a run says of its kernel. The value is for people."""

    GOOD = "good"
    BAD = "bad"
    NOT_JUDGED = "not judged"

    @property
    def exit_code(self) -> int:
        """0: nothing speaks against the kernel; 1: something does; 2: that is not known."""
        return _EXIT_CODES[self]


_EXIT_CODES = {Verdict.GOOD: 0, Verdict.BAD: 1, Verdict.NOT_JUDGED: 2}


def verdict_of(run: Run) -> Verdict:
    """Judge *run*: BAD outranks NOT_JUDGED, because what was seen stays true.

    A run is judged if it came to its end, at least one test says whether a property held, and none
    ended as ERROR or NOT_JUDGED. KNOWN is good, and so is SKIP beside tests that ran.
    """
    results = {one.result for one in run.tests}
    if any(one.against_kernel for one in results):
        return Verdict.BAD
    missing = Result.NOT_JUDGED in results or any(one.against_harness for one in results)
    judged = any(one.held is not None for one in results)
    return Verdict.GOOD if judged and run.complete and not missing else Verdict.NOT_JUDGED
