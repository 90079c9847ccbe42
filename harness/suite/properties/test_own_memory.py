# SPDX-License-Identifier: Apache-2.0
"""Property D10: a device's own shared-dma-pool is used before its restricted pool."""

import pytest

from harness.base.address_range import AddressRange
from harness.devices.probe import (
    AllocCall,
    Byte,
    Device,
    Direction,
    Gfp,
    Probe,
)
from harness.kernel import SLOT
from harness.machine.devicetree import Devicetree, Region
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import COHERENT, PLATFORM
from harness.suite.lib.expect import (
    all_reserved,
    equal,
    holds,
    in_pool,
    refused,
    same_bytes,
    slots_used,
)
from harness.suite.lib.filling import allocate
from harness.suite.lib.paused import paused
from harness.suite.lib.written import CPU

MIB = 1 << 20
OWN = {
    PLATFORM: Region(0x4EE0_0000, MIB, "coherent"),
    COHERENT: Region(0x4EF0_0000, MIB, "coherent"),
}
"""The regions of dts/pool-own.dtso, the second entries of the devices' memory-region."""

FROM_OWN = (AllocCall.COHERENT, AllocCall.POOL, AllocCall.MANAGED)
FROM_POOL = (AllocCall.PAGES, AllocCall.NONCOHERENT, AllocCall.NONCONTIGUOUS)

pytestmark = pytest.mark.parametrize("shape", ["pool-own"])
on_both = pytest.mark.parametrize("driver", [PLATFORM, COHERENT])


@pytest.fixture
def restricted(devicetree: Devicetree) -> Region:
    """The devices' restricted pool."""
    return devicetree.pool("pool")


@pytest.mark.property("D10")
@on_both
def test_a_region_of_its_own_comes_first(
    device: Device, driver: str, memory: LiveMemory, counters: PoolCounters, page: int
) -> None:
    """Coherent memory comes from a device's own region once its driver has initialized that."""
    device.take_memory_region(1)

    for call in FROM_OWN:
        allocation = device.alloc(call, page)
        in_pool(allocation, OWN[driver])
        holds(allocation, Byte(0))
        allocation.fill(CPU)
        same_bytes(memory, allocation.dma_addr, CPU.content(0, page))

    slots_used(counters, 0)


@pytest.mark.property("D10", control=True)
def test_a_region_that_is_not_taken_is_not_used(
    device: Device, restricted: Region, page: int
) -> None:
    """Until the driver initializes the region, all memory comes from the restricted pool."""
    for call in AllocCall:
        in_pool(device.alloc(call, page), restricted)


@pytest.mark.property("B1", "D2", "D10")
def test_everything_else_stays_in_the_restricted_pool(
    device: Device, probe: Probe, restricted: Region, page: int
) -> None:
    """Mappings and allocated pages come from the restricted pool, coherent memory does not."""
    device.take_memory_region(1)

    for call in FROM_POOL:
        in_pool(device.alloc(call, page), restricted)
    mapping = device.map_single(probe.buffer(page), Direction.TO_DEVICE)
    in_pool(mapping, restricted)


@pytest.mark.property("D4", "D10")
def test_an_exhausted_region_gives_null(
    device: Device, driver: str, counters: PoolCounters, page: int
) -> None:
    """Coherent memory from a full region is NULL; the kernel does not use the pool instead."""
    device.take_memory_region(1)

    pages = allocate(device, page, attempts=MIB // page + 2)

    expected = [OWN[driver].base + offset for offset in range(0, MIB, page)]
    equal(sorted(page.dma_addr for page in pages.values()), expected, "addresses of the pages")
    slots_used(counters, 0)


@pytest.mark.property("D9", "D10")
@on_both
def test_a_region_of_its_own_serves_atomic_allocations(
    device: Device, driver: str, page: int
) -> None:
    """A device's own region serves atomic allocations, because it is mapped already."""
    device.take_memory_region(1)

    allocation = device.alloc_coherent(page, gfp=Gfp.BOTTOM_HALF)

    in_pool(allocation, OWN[driver])


@pytest.mark.property("B1", "D1", "D10")
@pytest.mark.finding("release-lifts-restriction", kernels=">=5.15")
def test_a_driver_that_gives_its_region_back_stays_restricted(
    device: Device, probe: Probe, restricted: Region, page: int
) -> None:
    """A device stays restricted when its driver releases the device's own region."""
    device.take_memory_region(1)
    device.release_memory_regions()

    mapping = device.map_single(probe.buffer(page), Direction.TO_DEVICE)
    allocation = device.alloc_coherent(page)

    in_pool(mapping, restricted)
    in_pool(allocation, restricted)


@pytest.mark.property("D6", "E5")
@pytest.mark.finding("release-lifts-restriction", kernels=">=5.15")
def test_memory_that_is_freed_after_the_region_goes_back_to_the_pool(
    guest: Guest,
    device: Device,
    restricted: Region,
    types: KernelTypes,
    counters: PoolCounters,
    slot_set: int,
) -> None:
    """Memory of the pool returns to the pool, not to the page allocator, when it is freed."""
    allocation = device.alloc_coherent(slot_set)
    device.release_memory_regions()

    allocation.free()

    with paused(guest):
        all_reserved(types, AddressRange(restricted.base, slot_set))
    slots_used(counters, 0)


@pytest.mark.property("D6", control=True)
def test_memory_that_is_freed_before_the_region_goes_back_to_the_pool(
    device: Device, counters: PoolCounters, slot_set: int
) -> None:
    """Memory that is freed before its driver releases the region returns to the pool."""
    allocation = device.alloc_coherent(slot_set)
    slots_used(counters, slot_set // SLOT)

    allocation.free()
    device.release_memory_regions()

    slots_used(counters, 0)


@pytest.mark.property("D10")
def test_a_region_serves_when_the_pool_is_full(device: Device, page: int, slot_set: int) -> None:
    """A driver whose restricted pool is full can allocate from its own region."""
    allocate(device, slot_set, attempts=100)
    refused(device.alloc_coherent, page)

    device.take_memory_region(1)

    device.alloc_coherent(page)
