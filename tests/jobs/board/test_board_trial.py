# SPDX-License-Identifier: Apache-2.0
"""A board is taken over by the rules of the kernel that is tested."""

from types import SimpleNamespace

import pytest
from lint_boards import BOARDS

from harness.jobs.board import try_board
from harness.kernel import KernelSpec
from harness.machine.devicetree.board import Loader
from harness.machine.devicetree.model import Environment
from harness.results import Run, SuiteRequest, no_kernel

MODULE = "harness.jobs.board.board_trial"


@pytest.mark.parametrize(("release", "windows"), [("6.12.117", 1), ("7.3.4", 0)])
def test_what_devices_reach_is_by_the_rules_of_the_kernel_under_test(
    release: str, windows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = SimpleNamespace(release=release, page_size=4096)
    run = Run(no_kernel(), "2026-11-30T04:00:00", 1.0, (), ())
    monkeypatch.setattr(f"{MODULE}.build_kernel", lambda _: kernel)
    monkeypatch.setattr(f"{MODULE}.run_suite", lambda *_: run)
    request = SuiteRequest(KernelSpec(), "qemu-system-aarch64")

    trial = try_board(Loader().load(str(BOARDS / "buses.dts")), None, request, Environment())

    host = next(one for one in trial.judged.prediction.devices if one.path.endswith("/*"))
    assert len(host.reach.windows or ()) == windows
