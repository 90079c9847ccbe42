# SPDX-License-Identifier: Apache-2.0
"""Every attack by every rogue under every protection, as tests: the cells of ``harness matrix``."""

import pytest

from harness.devices.attacks import Cell, cells, run_cell
from harness.kernel import Initramfs, Kernel
from harness.machine.binary import Qemu
from harness.machine.environment import Environment
from harness.suite.lib.tiers import some_by_day

DAILY = ("patch-credentials by nvme under pool", "patch-credentials by nvme under pool + fence")
"""One attack with its control, to see by day that it works; ``harness matrix`` runs them all."""


@pytest.mark.property("FENCE")
@pytest.mark.parametrize("cell", some_by_day(cells(), *DAILY))
def test_an_attack_has_the_expected_effect(
    qemu: Qemu, kernel: Kernel, initramfs: Initramfs, cell: Cell
) -> None:
    """An attack is stopped, contained in the pool, or succeeds, as expected of its protection."""
    result = run_cell(Environment(qemu, kernel, initramfs), cell)

    assert result.as_expected, result.detail
