# SPDX-License-Identifier: Apache-2.0
"""Properties E15 and E16: restricted pools of a kernel with CONFIG_SWIOTLB_DYNAMIC."""

import pytest

from harness.devices.probe import AllocCall, Device, Direction, Probe
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, restricted_pools
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import COHERENT, PLATFORM
from harness.suite.lib.expect import counted, in_pool, slots_used
from harness.suite.lib.filling import allocate, fill, free, unmap

GROWING = "swiotlb=512,force"
"""All devices bounce; the default pool has 1 MiB at boot."""

pytestmark = [
    pytest.mark.nightly("a kernel of its own"),
    pytest.mark.needs("before, no pool grew", change="defpool"),
    pytest.mark.needs("nothing can grow", config="SWIOTLB_DYNAMIC=y"),
    pytest.mark.parametrize("flavour", ["dynamic"]),
]


@pytest.mark.property("B12", "E16")
@pytest.mark.parametrize("append", ["", GROWING], ids=["plain", "forced"])
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_a_restricted_pool_does_not_grow(
    device: Device,
    probe: Probe,
    pool: Pool,
    counters: PoolCounters,
    types: KernelTypes,
    slot_set: int,
) -> None:
    """A full pool refuses mappings and allocations, and gets no further slots."""
    buffer, capacity = probe.buffer(slot_set), pool.size // slot_set

    mapped = fill(device, buffer, slot_set, attempts=capacity + 8)
    counted(len(mapped), capacity, "mappings")
    in_pool(mapped.values(), pool, slot_set)
    for call in AllocCall:
        counted(len(allocate(device, slot_set, attempts=2, call=call)), 0, call.name)

    (state,) = restricted_pools(types)
    for number in (state.nslabs, state.total_nslabs, counters.nslabs):
        counted(number, pool.size // SLOT, "slots of the pool")
    counted(counters.transient, 0, "transient slots")
    unmap(device, mapped)
    slots_used(counters, 0)


@pytest.mark.property("E16", control=True)
@pytest.mark.parametrize("append", [GROWING])
@pytest.mark.parametrize("shape", [NO_POOL])
def test_the_default_pool_does_grow(device: Device, probe: Probe, slot_set: int) -> None:
    """On that kernel an unrestricted device maps more than the default pool has at boot."""
    mapped = fill(device, probe.buffer(slot_set), slot_set, attempts=16)
    counted(len(mapped), 16, "mappings of a slot set")


@pytest.mark.property("D6", "E16")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_memory_of_a_pool_returns_to_it(
    device: Device, pool: Pool, counters: PoolCounters, slot_set: int
) -> None:
    """Free returns an allocation to the pool that it came from, also with several pools."""
    for call in AllocCall:
        given = allocate(device, slot_set, attempts=4, call=call)
        in_pool(given.values(), pool, slot_set)
        free(device, given)
        counted(len(given), 4, f"allocations by {call.name}")
        slots_used(counters, 0)


@pytest.mark.property("B1", "E15", "E16")
@pytest.mark.finding("dynamic-needs-default-pool", kernels=">=6.6")
@pytest.mark.parametrize("append", ["swiotlb=noforce"])
def test_a_restricted_pool_does_not_need_the_default_one(
    device: Device, probe: Probe, pool: Pool, slot_set: int
) -> None:
    """A restricted device can map when swiotlb=noforce leaves out the default pool."""
    in_pool(device.map_single(probe.buffer(slot_set), Direction.TO_DEVICE), pool)


@pytest.mark.property("E15", "E16", control=True)
def test_with_a_default_pool_a_restricted_device_maps(
    device: Device, probe: Probe, pool: Pool, slot_set: int
) -> None:
    """Without swiotlb=noforce the same device can map."""
    in_pool(device.map_single(probe.buffer(slot_set), Direction.TO_DEVICE), pool)
