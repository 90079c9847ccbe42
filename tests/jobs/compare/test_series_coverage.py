# SPDX-License-Identifier: Apache-2.0
"""The lines that a series adds are counted with the tests and the QEMU that were asked for."""

import sys
from dataclasses import replace

import pytest

from harness.base.errors import HarnessError
from harness.jobs.compare import patch_coverage
from harness.kernel import KernelSpec
from harness.results import SuiteRequest

REQUEST = SuiteRequest(
    qemu="/opt/qemu", tier="nightly", properties=("B12",), match="full", ram_size=1 << 30
)


def test_nothing_of_the_request_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[SuiteRequest] = []

    def machine(request: SuiteRequest) -> None:
        asked.append(request)
        raise HarnessError("stop before the build")

    module = sys.modules["harness.jobs.coverage.measure"]
    monkeypatch.setattr(module, "_machine", machine)

    with pytest.raises(HarnessError, match="before the build"):
        patch_coverage(REQUEST)

    assert asked == [replace(REQUEST, spec=KernelSpec(flavour="coverage"), keep="none")]
