# SPDX-License-Identifier: Apache-2.0
"""What a run says of its kernel: 0 good, 1 the kernel is at fault, 2 not judged."""

import pytest
from history_scene import WHERE

from harness.base.result import Result
from harness.results import Case, Run, Verdict, verdict_of

PASS, FAIL, CRASH, HANG = Result.PASS, Result.FAIL, Result.CRASH, Result.HANG
ERROR, NOT_JUDGED, KNOWN, SKIP = Result.ERROR, Result.NOT_JUDGED, Result.KNOWN, Result.SKIP


def run_of(*results: Result, complete: bool = True) -> Run:
    cases = tuple(Case("a::b", one) for one in results)
    return Run(WHERE, "2026-11-28T00:00:00.000+00:00", 1.0, (), cases, complete)


@pytest.mark.parametrize(
    ("results", "code"),
    [
        ([PASS, KNOWN, SKIP], 0),
        ([KNOWN], 0),
        ([SKIP], 2),
        ([PASS, FAIL], 1),
        ([PASS, CRASH], 1),
        ([PASS, HANG], 1),
        ([FAIL, ERROR, NOT_JUDGED], 1),
        ([PASS, ERROR], 2),
        ([PASS, NOT_JUDGED], 2),
        ([], 2),
    ],
)
def test_the_kernels_fault_outranks_what_is_not_judged(results: list[Result], code: int) -> None:
    assert verdict_of(run_of(*results)).exit_code == code


@pytest.mark.parametrize(
    ("result", "verdict"), [(PASS, Verdict.NOT_JUDGED), (FAIL, Verdict.BAD), (HANG, Verdict.BAD)]
)
def test_a_run_without_its_end_is_not_good(result: Result, verdict: Verdict) -> None:
    assert verdict_of(run_of(result, complete=False)) is verdict
