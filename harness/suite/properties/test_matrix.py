# SPDX-License-Identifier: Apache-2.0
"""FENCE: every attack by every rogue under every protection, as in ``harness matrix``."""

import pytest

from harness.devices.attacks import Cell, cells, measure_cell
from harness.machine.environment import Environment
from harness.suite.lib.expect import require
from harness.suite.lib.rogues import needs_rogue
from harness.suite.lib.tiers import in_default_tier

IN_DEFAULT = (
    "patch-credentials by nvme under pool",
    "patch-credentials by nvme under pool + fence",
)
"""One attack with its control for the default tier; ``harness matrix`` runs all."""


NEEDS = {str(cell): needs_rogue(cell.rogue) for cell in cells()}


@pytest.mark.property("FENCE")
@pytest.mark.parametrize("cell", in_default_tier(cells(), *IN_DEFAULT, marks=NEEDS))
def test_an_attack_has_the_expected_effect(environment: Environment, cell: Cell) -> None:
    """Each protection stops an attack, contains it in the pool, or lets it succeed, as expected."""
    result = measure_cell(environment, cell)

    require(result.as_expected, f"{cell}: the expected effect", result.detail)
