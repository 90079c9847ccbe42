# SPDX-License-Identifier: Apache-2.0
"""The harness itself: instructions are counted, and the same number each time."""

import pytest

from harness.jobs.cost import measure_costs
from harness.jobs.cost.measure import KINDS
from harness.machine.environment import Environment

pytestmark = pytest.mark.any_kernel("how instructions are counted")

POOL, NO_POOL = KINDS[:2]


@pytest.mark.nightly("three boots of a machine that counts")
def test_two_measurements_give_the_same_numbers(environment: Environment) -> None:
    """The instructions of a call depend on the kernel and on nothing else."""
    first, second = (tuple(measure_costs(environment, (POOL,))) for _ in range(2))

    assert first == second


def test_a_mapping_without_a_copy_costs_the_same_for_each_size(environment: Environment) -> None:
    """Nothing else is counted with a call: without a pool its size changes nothing."""
    numbers = {one.subject: one.instructions for one in measure_costs(environment, (NO_POOL,))}
    mapped = {size: numbers["map TO_DEVICE", size, NO_POOL.name, 0] for size in (64, 65536)}

    assert mapped[64] == mapped[65536]
