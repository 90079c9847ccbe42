# SPDX-License-Identifier: Apache-2.0
"""The lines that a series adds are counted with the tests and the QEMU that were asked for."""

from dataclasses import replace
from typing import Any

import pytest

from harness.base.errors import HarnessError
from harness.jobs.compare import patch_coverage, series_coverage
from harness.kernel import KernelSpec
from harness.results import SuiteRequest

REQUEST = SuiteRequest(
    qemu="/opt/qemu", tier="nightly", properties=("B12",), match="full", ram_size=1 << 30
)


def test_nothing_of_the_request_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[SuiteRequest] = []

    def measure(_: Any, request: SuiteRequest) -> None:
        asked.append(request)
        raise HarnessError("that is enough")

    for name in ("build_kernel", "build_initramfs", "find_qemu", "shaped_devicetree", "Machine"):
        monkeypatch.setattr(series_coverage, name, lambda *_, **__: None)
    monkeypatch.setattr(series_coverage, "measure", measure)

    with pytest.raises(HarnessError, match="enough"):
        patch_coverage(REQUEST)

    assert asked == [replace(REQUEST, spec=KernelSpec(flavour="coverage"), keep="none")]
