# SPDX-License-Identifier: Apache-2.0
"""The harness itself: instructions and copied bytes are counted, the same number each time."""

from collections.abc import Callable
from itertools import pairwise
from operator import attrgetter

import pytest

from harness.jobs.cost import WORKS, Cost, Work, measure_costs, measure_work
from harness.jobs.cost.measure import EVERY, KINDS, SIZES, DeviceKind
from harness.machine.capabilities import PLUGINS
from harness.machine.environment import Environment

pytestmark = pytest.mark.any_kernel("how instructions are counted")

POOL, NO_POOL = KINDS[:2]
DISK, FRAME, ALONE, *BESIDE = WORKS

BOUNCING = (
    *("map TO_DEVICE", "sync for device TO_DEVICE"),
    *("sync for CPU FROM_DEVICE", "unmap FROM_DEVICE"),
)
NOT_BOUNCING = ("sync for CPU TO_DEVICE", "unmap TO_DEVICE", "sync for device FROM_DEVICE")

CALIBRATED = "a read of the pool through /dev/mem calibrates what a TCG plugin sees"


def sees_copies(test: Callable[[Environment], None]) -> Callable[[Environment], None]:
    """Mark a *test* that counts copied bytes."""
    for mark in (
        pytest.mark.needs("accesses are seen by a TCG plugin", qemu=PLUGINS),
        pytest.mark.needs(CALIBRATED, config="DEVMEM=y"),
        pytest.mark.needs(CALIBRATED, config="STRICT_DEVMEM=n"),
    ):
        test = mark(test)
    return test


@pytest.mark.nightly("two boots of a machine that counts, more with a pool")
@pytest.mark.parametrize("kind", KINDS, ids=attrgetter("name"))
def test_two_measurements_give_the_same_numbers(environment: Environment, kind: DeviceKind) -> None:
    """The instructions of a call depend on the kernel and on nothing else."""
    first, second = (tuple(measure_costs(environment, (kind,))) for _ in range(2))

    assert first == second


def test_a_mapping_without_a_copy_costs_the_same_for_each_size(environment: Environment) -> None:
    """Nothing else is counted with a call: without a pool its size changes nothing."""
    numbers = {one.subject: one.instructions for one in measure_costs(environment, (NO_POOL,))}
    mapped = {size: numbers["map TO_DEVICE", size, NO_POOL.name, 0] for size in (64, 65536)}

    assert mapped[64] == mapped[65536]


@sees_copies
def test_a_call_that_bounces_copies_each_byte_once(environment: Environment) -> None:
    """A call copies in its direction as many bytes as the mapping has, and none in the other."""
    costs = [one for one in measure_costs(environment, (POOL,)) if not one.full]
    copied = {(one.call, one.size): one.copied for one in costs}

    for call in BOUNCING:
        assert [copied[call, size] for size in SIZES] == list(SIZES)
    for call in NOT_BOUNCING:
        assert [copied[call, size] for size in SIZES] == [0] * len(SIZES)


def test_a_search_in_a_fuller_pool_costs_more(environment: Environment) -> None:
    """Each mapping that a search passes costs the same, so the growth is even."""
    costs = measure_costs(environment, (POOL,))
    full = {one.full: one.instructions for one in costs if one.call == "map TO_DEVICE" and one.full}

    numbers = [full[at] for at in sorted(full)]
    steps = [after - before for before, after in pairwise(numbers) if after and before]
    assert len(numbers) == len(EVERY)
    assert [after / before for before, after in pairwise(steps)] == [2.0] * (len(steps) - 1)


def with_and_without_pool(environment: Environment, work: Work) -> tuple[Cost, ...]:
    """The costs of *work* on a device with a pool, then those without one."""
    costs = measure_work(environment, work, (POOL, NO_POOL))
    return tuple(sorted(costs, key=lambda one: (one.kind != POOL.name, one.call)))


def check_range(cost: Cost) -> int:
    """Check that the median lies between the least and the most; returns it."""
    assert cost.instructions is not None
    assert cost.low is not None
    assert cost.high is not None
    assert cost.low <= cost.instructions <= cost.high
    return cost.instructions


@pytest.mark.needs("types of the kernel's memory", types=True)
def test_a_read_of_a_disk_costs_more_with_a_pool(environment: Environment) -> None:
    """A read bounces its data and the request's own parts: thousands of instructions more."""
    pool, no_pool = map(check_range, with_and_without_pool(environment, DISK))

    assert pool - no_pool > 2000


@sees_copies
@pytest.mark.needs("types of the kernel's memory", types=True)
def test_the_bytes_of_a_read_of_a_disk_are_copied_out_of_the_pool(environment: Environment) -> None:
    """What the disk has written to the pool is copied to the buffer of the program."""
    (read,) = measure_work(environment, DISK, (POOL,))

    assert read.copied is not None
    assert read.copied >= read.size


@pytest.mark.nightly("a kernel with drivers of network cards")
@pytest.mark.needs("types of the kernel's memory", types=True)
@pytest.mark.parametrize("flavour", ["drivers"])
def test_a_network_frame_costs_more_with_a_pool(environment: Environment) -> None:
    """A frame bounces on its way in and, as the answer, on its way out."""
    pool, no_pool = map(check_range, with_and_without_pool(environment, FRAME))

    assert pool - no_pool > 1000


def test_a_mapping_of_a_cpu_alone_costs_more_with_a_pool(environment: Environment) -> None:
    """Nobody waits for a lock, so what it costs beside ticks of the clock is the mapping."""
    pool, no_pool = map(check_range, with_and_without_pool(environment, ALONE))

    assert pool - no_pool > 500


@pytest.mark.parametrize("work", BESIDE, ids=lambda work: work.name)
def test_a_mapping_beside_other_cpus_is_counted(environment: Environment, work: Work) -> None:
    """How much CPUs wait for each other is the host's as well: only that they are counted holds."""
    for one in with_and_without_pool(environment, work):
        assert check_range(one) > 500
