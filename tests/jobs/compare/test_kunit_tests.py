# SPDX-License-Identifier: Apache-2.0
"""The KUnit suites of a series are turned on in a kernel of their own."""

import pytest

from harness.base.errors import BuildError, ConfigError, InputError
from harness.base.result import Result
from harness.jobs.compare import kunit_tests
from harness.kernel import KernelSpec
from harness.kernel.patches.reach import Reach
from harness.results import SuiteRequest

SUITES = Reach((), kunit=("DMA_KUNIT_TEST", "OF_KUNIT_TEST"))


def test_a_series_without_a_suite_builds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kunit_tests, "build_kernel", None)

    assert kunit_tests.run_kunit(SuiteRequest(), Reach(())) == ()


@pytest.mark.parametrize("fault", [ConfigError("it needs PCI"), BuildError("no such member")])
def test_a_kernel_that_cannot_be_made_so_is_not_judged(
    monkeypatch: pytest.MonkeyPatch, fault: InputError
) -> None:
    wanted: list[str] = []

    def build(spec: KernelSpec) -> None:
        wanted.append(spec.extra_fragments[-1].read_text())
        raise fault

    monkeypatch.setattr(kunit_tests, "build_kernel", build)

    (case,) = kunit_tests.run_kunit(SuiteRequest(), SUITES)

    assert (case.result, case.message) == (Result.NOT_JUDGED, str(fault))
    assert wanted == ["CONFIG_KUNIT=y\nCONFIG_DMA_KUNIT_TEST=y\nCONFIG_OF_KUNIT_TEST=y\n"]
