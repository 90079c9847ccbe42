# SPDX-License-Identifier: Apache-2.0
"""Bisection finds the first bad one of kernels that a person names."""

from pathlib import Path

import pytest
from kernel_trees import tiny_tree
from made_up_provenance import PLAIN
from validate_fakes import REQUEST, T, outcome

from harness.base.errors import InputError
from harness.jobs.bisect import bisect, kernels_line
from harness.jobs.bisect.search import Found
from harness.kernel import KernelSpec
from harness.results import Run, SuiteRequest

pytestmark = pytest.mark.usefixtures("cache")


def test_the_first_bad_one_of_some_kernels_is_found(tmp_path: Path) -> None:
    names = [str(tiny_tree(tmp_path / f"linux-{number}")) for number in range(5)]

    def suite(request: SuiteRequest) -> Run:
        result = "FAIL" if names.index(request.spec.source) >= 2 else "PASS"
        return Run(PLAIN, "", 1.0, (), (outcome(T, result),))

    space = kernels_line(KernelSpec(), names[0], names[-1], names[1:-1])

    assert bisect(space, REQUEST, suite).found == Found((names[2],))


def test_nobody_knows_what_lies_between_two_directories(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Name them, in order, with --kernels"):
        kernels_line(KernelSpec(), str(tmp_path / "a"), str(tmp_path / "b"), [])
