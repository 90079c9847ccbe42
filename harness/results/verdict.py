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


def known_exit_code(code: int) -> int:
    """The exit *code* of pytest as one of ours: what is neither 0 nor 1 is "not judged".

    pytest has more (pytest.ExitCode): 3 for an internal error, 4 for a wrong command line, 5 for
    no tests.
    """
    return code if code in (0, 1) else Verdict.NOT_JUDGED.exit_code


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
