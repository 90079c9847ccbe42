# SPDX-License-Identifier: Apache-2.0
"""The answers for a board: what is said, and the exit code."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from lint_boards import BOARDS

from harness.base.result import Result
from harness.base.violation import Violation
from harness.jobs.board import DIFFERS, BoardTrial, as_json, trial_text
from harness.jobs.board.board_trial import FENCED, PREDICTION, user_of
from harness.machine.binary import find_qemu
from harness.machine.devicetree.board import Loader
from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.lint import judge
from harness.machine.devicetree.model import Environment, KernelVersion
from harness.machine.shape import shaped_devicetree
from harness.machine.transfer import transfer_board
from harness.results import Case, Run, no_kernel

KERNEL = KernelVersion("6.12")
FILE = "harness/suite/properties/test_x.py"
USER = f"{FILE}::test_a_shape_keeps_the_properties[1-%s]"
COMPARED = Case(f"{FILE}::{PREDICTION}", Result.PASS)


def trial(name: str, folder: Path, *cases: Case) -> BoardTrial:
    """The answers for a board of tests/boards whose tests ended as *cases*."""
    board = Loader().load(str(BOARDS / f"{name}.dts"))
    found = transfer_board(board, KERNEL)
    shape = folder / "board.dtso"
    shape.write_text(found.overlay)
    tree = shaped_devicetree(find_qemu("qemu-system-aarch64"), shape, ram_size=found.ram_size)
    run = Run(no_kernel(), "2026-11-29T04:00:00", 1.0, (), cases)
    judged = judge(read_blob(tree.blob), KERNEL, Environment())
    return BoardTrial(name, found, judged, judge(board.tree, KERNEL, Environment()), run)


def test_each_device_has_its_own_tests_and_endpoints_stand_for_their_bridge(
    tmp_path: Path,
) -> None:
    bridge = Case(USER % "/pcie@10000000/*", Result.PASS)
    mmc = Case(USER % "/soc/mmc@7e340000", Result.FAIL, ("B12",))

    found = trial("low-ram", tmp_path, COMPARED, bridge, mmc)

    assert [one.cases for one in found.devices] == [(bridge,), (mmc,)]
    said = trial_text(found)
    assert "/scb/pcie@7d500000: restricted to pool pci-dma@44400000; 1 test passed" in said
    assert "/soc/mmc@7e340000: restricted to pool sd-dma@46410000; FAIL (B12)" in said
    assert said.endswith("verdict: bad; exit code 1")


def test_what_the_lint_says_of_a_stand_in_names_the_node_of_the_board(tmp_path: Path) -> None:
    said = trial_text(trial("functions", tmp_path, COMPARED))

    remarks = said.partition("the lint says\n")[2]
    assert "  error: /pcie@30000000/wifi@1,0: unrestricted: its memory-region hides" in remarks
    assert "/device@0,0: " not in remarks


def test_a_difference_from_the_lint_is_shown(tmp_path: Path) -> None:
    violation = Violation(("A2",), DIFFERS, observed="/mmc: predicted pool 'a', the kernel has ''")
    case = replace(COMPARED, result=Result.FAIL, violations=(violation,), violated=("A2",))

    found = trial("low-ram", tmp_path, case)

    said = trial_text(found)
    assert "the kernel does not do what the lint predicts" in said
    assert "observed   /mmc: predicted pool 'a', the kernel has ''" in said
    assert as_json(found)["as_predicted"] is False


def test_what_an_oracle_sees_is_no_difference(tmp_path: Path) -> None:
    violation = Violation(("E5",), "256 pages are the page allocator's")
    case = replace(COMPARED, result=Result.FAIL, violations=(violation,), violated=("E5",))

    said = trial_text(trial("overlaps", tmp_path, case))

    assert "the kernel does what the lint predicts, and violates properties (E5)" in said
    assert "[freed-by-refused, docs/findings.md#refused-frees-others]" in said


@pytest.mark.parametrize(
    ("name", "result", "code"),
    [
        ("low-ram", Result.PASS, 0),
        ("low-ram", Result.KNOWN, 0),
        ("low-ram", Result.ERROR, 2),
        ("low-ram", Result.SKIP, 2),
        ("low-ram", Result.CRASH, 1),
        ("reusable-pool", Result.PASS, 1),
        ("reusable-pool", Result.ERROR, 2),
    ],
)
def test_board_and_kernel_decide_the_exit_code(
    name: str, result: Result, code: int, tmp_path: Path
) -> None:
    found = trial(name, tmp_path, replace(COMPARED, result=result, message="why"))

    assert found.verdict.exit_code == code


def test_what_was_not_compared_is_not_called_a_difference(tmp_path: Path) -> None:
    found = trial("low-ram", tmp_path, replace(COMPARED, result=Result.SKIP, message="no types"))

    assert "the kernel was not compared with the lint: SKIP, no types" in trial_text(found)
    assert as_json(found)["as_predicted"] is None


def test_the_drivers_behind_a_fence_are_named(tmp_path: Path) -> None:
    cases = [Case(f"{FILE}::{FENCED}[smmu-{name}]", Result.PASS) for name in ("a-pci", "b-pci")]

    good = trial_text(trial("low-ram", tmp_path, COMPARED, *cases))
    bad = trial_text(trial("low-ram", tmp_path, COMPARED, replace(cases[0], result=Result.FAIL)))

    assert "behind a fence nothing outside the pools was accessed: a-pci, b-pci" in good
    assert "behind a fence not all was as it should be: a-pci" in bad


def test_another_outcome_than_the_boards_is_said(tmp_path: Path) -> None:
    said = trial_text(trial("iommus", tmp_path, COMPARED))

    assert "on the board, by the lint: behind an IOMMU" in said


@pytest.mark.parametrize(
    ("test", "path"),
    [
        (USER % "/soc/mmc@1,0", "/soc/mmc@1,0"),
        (f"{FILE}::test_a[smmu-virtio]", ""),
        (f"{FILE}::test_a", ""),
    ],
)
def test_the_device_of_a_test_is_in_its_name(test: str, path: str) -> None:
    assert user_of(Case(test, Result.PASS)) == path


def test_the_pool_that_a_device_reaches_in_part_is_named(tmp_path: Path) -> None:
    said = trial_text(trial("reach", tmp_path, COMPARED))

    assert re.search(r"/part/mmc@10030000: restricted to a part of pool low@\w+, because", said)
