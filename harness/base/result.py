# SPDX-License-Identifier: Apache-2.0
"""Result: how a test ended, and whose fault that is."""

from collections.abc import Iterable
from enum import StrEnum


class Result(StrEnum):
    """How a test ended, worst first. The value is stored and shown."""

    FAIL = "FAIL"  # the kernel violated a property
    CRASH = "CRASH"  # the guest died
    HANG = "HANG"  # the guest made no progress
    ERROR = "ERROR"  # the harness or the host failed
    NOT_JUDGED = (
        "NOT_JUDGED"  # the kernel did not get that far; the reason is said once for the run
    )
    KNOWN = "KNOWN"  # a finding showed as docs/findings.md describes it for this kernel
    PASS = "PASS"
    SKIP = "SKIP"  # does not apply to this kernel, QEMU or host

    @property
    def letter(self) -> str:
        """The letter of the progress line."""
        return _LETTERS[self]

    @property
    def against_kernel(self) -> bool:
        """Whether the kernel under test is at fault."""
        return self in (Result.FAIL, Result.CRASH, Result.HANG)

    @property
    def against_harness(self) -> bool:
        """Whether the harness or the host is at fault; says nothing about the kernel."""
        return self is Result.ERROR

    @property
    def at_fault(self) -> bool:
        """Whether the kernel or the harness is at fault."""
        return self.against_kernel or self.against_harness

    @property
    def excused(self) -> bool:
        """Whether the test neither passed nor shows a fault of kernel or harness."""
        return self in (Result.KNOWN, Result.SKIP)

    @property
    def held(self) -> bool | None:
        """Whether the property held on this kernel; None if the test cannot say."""
        if self is Result.PASS:
            return True
        return False if self.against_kernel or self is Result.KNOWN else None


_LETTERS = dict(zip(Result, "FCHEnk.s", strict=True))


def worst(results: Iterable[Result]) -> Result | None:
    """Return the worst of *results*; None if there are none."""
    order = list(Result)
    return min(results, key=order.index, default=None)
