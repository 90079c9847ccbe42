# SPDX-License-Identifier: Apache-2.0
"""``harness try``: boards of users, on the kernel under test."""

import json
import subprocess
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.base.result import Result
from harness.jobs.board import BoardTrial, as_json, trial_text, try_board
from harness.machine.devicetree.board import Loader
from harness.machine.devicetree.model import Environment, Restriction
from harness.results import SuiteRequest, Verdict
from harness.suite.lib.person import FORKS, HARNESS, sit_down

BOARDS = CHECKOUT / "tests/boards"

pytestmark = [pytest.mark.any_kernel("what is made of a board, and what is said of it"), FORKS]


def tried(settings: SuiteRequest, name: str, ram_size: int | None = None) -> BoardTrial:
    """The answers for a board of tests/boards on the kernel under test."""
    board = Loader().load(str(BOARDS / f"{name}.dts"))
    asked = SuiteRequest(settings.spec, settings.qemu)
    return try_board(board, ram_size, asked, Environment())


def test_a_board_with_two_host_bridges_on_one_pool_is_good(settings: SuiteRequest) -> None:
    """Pool and devices are as predicted, and the properties hold where the board has its pool."""
    trial = tried(settings, "two-hosts-one-pool")

    assert trial.verdict is Verdict.GOOD, trial_text(trial)
    (pool,) = trial.pools
    assert pool.base == 0xA000_0000
    for one in trial.devices:
        assert one.predicted is not None
        assert one.predicted.outcome is Restriction.RESTRICTED
        assert {case.result for case in one.cases} == {Result.PASS}, one
    said = trial_text(trial)
    assert "platform devices stand in for the others" in said
    assert "the kernel does what the lint predicts" in said
    assert "behind a fence nothing outside the pools was accessed: virtio-blk-pci" in said
    json.dumps(as_json(trial))


def test_the_shell_takes_the_overlay_of_a_board(settings: SuiteRequest, tmp_path: Path) -> None:
    """What is written by --write-shape is a machine of the shell's, with the board's pools."""
    shape = tmp_path / "board.dtso"
    words = [f"--kernel={settings.spec.source}", f"--qemu={settings.qemu}"]
    write = [HARNESS, "try", str(BOARDS / "low-ram.dts"), f"--write-shape={shape}"]
    subprocess.run(write, check=True, capture_output=True)

    person = sit_down([HARNESS, "shell", f"--shape={shape}", "--machine-memory=512M", *words])
    said = person.ask("pools | cat")
    person.leave()

    assert "pci-dma@44400000" in said
    assert "sd-dma@46410000" in said


def test_a_board_whose_pool_is_refused_is_at_fault(settings: SuiteRequest, tmp_path: Path) -> None:
    """The kernel does as predicted, the devices are unrestricted, and that is the board's fault."""
    answers = tmp_path / "answers.json"
    words = [f"--kernel={settings.spec.source}", f"--qemu={settings.qemu}", f"--json={answers}"]
    command = [HARNESS, "try", str(BOARDS / "reusable-pool.dts"), *words]

    ran = subprocess.run(command, check=False, capture_output=True, text=True)

    assert ran.returncode == 1, ran.stderr
    assert "unrestricted, because swiotlb@50000000 was refused by the kernel" in ran.stdout
    assert "the board is at fault" in ran.stdout
    content = json.loads(answers.read_text())
    assert (content["as_predicted"], content["exit_code"]) == (True, 1)
