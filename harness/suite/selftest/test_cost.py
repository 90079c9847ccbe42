# SPDX-License-Identifier: Apache-2.0
"""The harness itself: instructions are counted, and the same number each time."""

from itertools import pairwise

import pytest

from harness.jobs.cost import measure_costs
from harness.jobs.cost.disk_reads import disk_reads
from harness.jobs.cost.measure import EVERY, KINDS, cost_machine
from harness.machine.environment import Environment
from harness.observe.memory import KnownTypes

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


def test_a_search_in_a_fuller_pool_costs_more(environment: Environment) -> None:
    """Each mapping that a search passes costs the same, so the growth is even."""
    costs = measure_costs(environment, (POOL,))
    full = {one.full: one.instructions for one in costs if one.call == "map TO_DEVICE" and one.full}

    numbers = [full[at] for at in sorted(full)]
    steps = [after - before for before, after in pairwise(numbers) if after and before]
    assert len(numbers) == len(EVERY)
    assert [after / before for before, after in pairwise(steps)] == [2.0] * (len(steps) - 1)


@pytest.mark.needs("types of the kernel's memory", types=True)
def test_a_read_of_a_disk_costs_more_with_a_pool(environment: Environment) -> None:
    """A read bounces its data and the request's own parts: thousands of instructions more."""
    known = KnownTypes()
    pool, no_pool = (
        disk_reads(cost_machine(environment, kind, False), kind.name, known)
        for kind in (POOL, NO_POOL)
    )

    assert pool.instructions is not None
    assert no_pool.instructions is not None
    assert pool.instructions - no_pool.instructions > 2000
    assert pool.low is not None
    assert pool.high is not None
    assert pool.low < pool.instructions < pool.high
