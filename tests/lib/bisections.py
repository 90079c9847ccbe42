# SPDX-License-Identifier: Apache-2.0
"""What bisections are asked: a line of kernels, and a suite that is killed."""

from collections.abc import Callable
from dataclasses import dataclass, field

from harness.jobs.bisect.spaces import Line, series_line
from harness.kernel import KernelSpec
from harness.kernel.patches.series import Series
from harness.results import Run, SuiteRequest


def positions(series: Series, good: int = 0, bad: int = 4) -> Line:
    """The kernels of *series* from position *good* to *bad*."""
    return series_line(KernelSpec(), series, str(good), str(bad))


@dataclass
class Dying:
    """Goes through with *lives* runs and is killed in the next."""

    suite: Callable[[SuiteRequest], Run]
    lives: int
    fault: BaseException = field(default_factory=KeyboardInterrupt)

    def __call__(self, request: SuiteRequest) -> Run:
        """Takes the place of run_suite()."""
        if not self.lives:
            raise self.fault
        self.lives -= 1
        return self.suite(request)
