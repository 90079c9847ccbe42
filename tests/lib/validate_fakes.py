# SPDX-License-Identifier: Apache-2.0
"""Runs of the suite on the kernels of a series, without kernels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from made_up_provenance import provenance

from harness.base.errors import BuildError, InputError
from harness.base.result import Result
from harness.kernel import KernelSpec
from harness.results import Case, Run, SuiteRequest
from harness.results.request import choice_of

T, U = (
    "harness/suite/properties/test_exhaustion.py::test_full[probe-a]",
    "harness/suite/test_x.py::test_u",
)


FULL_POOL = Path(__file__).parents[1] / "series/full-pool"
"""A series of five patches; the third breaks B12, the fifth repairs it."""

REQUEST = SuiteRequest(KernelSpec(), words=("--property=B12",))

PASS, FAIL = ["PASS"], ["FAIL"]


def position(request: SuiteRequest) -> int:
    """How many patches the request's kernel has."""
    return sum(len(list(directory.glob("*.patch"))) for directory in request.spec.series)


def outcome(test: str, result: str) -> Case:
    """A test of B12 that ended so; bad ones have artifacts."""
    if result in ("FAIL", "CRASH", "HANG"):
        return Case(
            test, Result(result), ("B12",), "assert 65 == 64", ("B12",), 1.0, f"/e/{result}"
        )
    return Case(test, Result(result), (), WHY.get(result, ""), ("B12",), 1.0)


WHY = {
    "NOT_JUDGED": "the kernel does not boot (panic: Kernel panic - not syncing: no memory)",
    "ERROR": "cannot read the pools of this kernel: it has no member struct io_tlb_mem.defpool",
}
"""What tests without a result say."""

Results = Mapping[str, Sequence[Sequence[str]]]
"""Of each test its results at each position, one for each time that it is run there."""


@dataclass
class FakeSuite:
    """A kernel at each position of a series; *fault* prevents those at *unbuildable*."""

    results: Results
    unbuildable: frozenset[int] = frozenset()
    same_build: bool = False
    fault: InputError = field(default_factory=lambda: BuildError("swiotlb.c does not compile"))
    asked: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def __call__(self, request: SuiteRequest) -> Run:
        """Takes the place of run_suite()."""
        at = position(request)
        if at in self.unbuildable:
            raise self.fault
        tests = request.tests or tuple(self.results)
        outcomes = tuple(outcome(test, self._next(test, at)) for test in tests)
        self.asked.append((at, request.tests))
        where = provenance(build_id="ab" if self.same_build else f"ab{at}")
        return Run(
            where,
            "2026-01-05T10:00:00.000+00:00",
            1.0,
            choice_of(replace(request, tests=())),
            outcomes,
        )

    def _next(self, test: str, at: int) -> str:
        """The result of this time; the last goes on forever."""
        times = sum(place == at and (not tests or test in tests) for place, tests in self.asked)
        results = self.results[test][at]
        return results[min(times, len(results) - 1)]
