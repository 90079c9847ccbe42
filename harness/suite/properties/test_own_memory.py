# SPDX-License-Identifier: Apache-2.0
"""Property D10: a region that a driver takes for itself, beside the restricted pool."""

import pytest

from harness.devices.probe import (
    AllocCall,
    Byte,
    Device,
    Direction,
    Gfp,
    Probe,
    Seed,
)
from harness.machine.devicetree import Devicetree, Region
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, LiveMemory, MemoryUse, page_uses
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import COHERENT, PLATFORM
from harness.suite.lib.expect import holds, in_pool, refused, same_bytes, slots_used
from harness.suite.lib.filling import PAGE, SLOT, SLOT_SET, allocate
from harness.suite.lib.paused import paused

MIB = 1 << 20
OWN = {
    PLATFORM: Region(0x4EE0_0000, MIB, "coherent"),
    COHERENT: Region(0x4EF0_0000, MIB, "coherent"),
}
"""Where dts/pool-own.dtso puts the regions, the second entries of the devices' memory-region."""

FROM_OWN = (AllocCall.COHERENT, AllocCall.POOL, AllocCall.MANAGED)
FROM_POOL = (AllocCall.PAGES, AllocCall.NONCOHERENT, AllocCall.NONCONTIGUOUS)
CPU = Seed(0xC9)

pytestmark = pytest.mark.parametrize("shape", ["pool-own"])
on_both = pytest.mark.parametrize("driver", [PLATFORM, COHERENT])


@pytest.fixture
def restricted(devicetree: Devicetree) -> Region:
    """The devices' restricted pool."""
    return devicetree.pool("pool")


@pytest.mark.property("D10")
@on_both
def test_a_region_of_its_own_comes_first(
    device: Device, driver: str, memory: LiveMemory, counters: PoolCounters
) -> None:
    """Coherent memory is the region's as soon as the driver has taken that, and none the pool's."""
    device.take_memory_region(1)

    for call in FROM_OWN:
        allocation = device.alloc(call, PAGE)
        in_pool(allocation, OWN[driver])
        holds(allocation, Byte(0))
        allocation.fill(CPU)
        same_bytes(memory, allocation.dma_addr, CPU.content(0, PAGE))

    slots_used(counters, 0)


@pytest.mark.property("D10", control=True)
def test_a_region_that_is_not_taken_is_not_used(device: Device, restricted: Region) -> None:
    """Being named by the node is not enough: all is the restricted pool's until then."""
    for call in AllocCall:
        in_pool(device.alloc(call, PAGE), restricted)


@pytest.mark.property("B1", "D2", "D10")
def test_everything_else_stays_in_the_restricted_pool(
    device: Device, probe: Probe, restricted: Region
) -> None:
    """Mappings and allocated pages are still the pool's when coherent memory is not."""
    device.take_memory_region(1)

    for call in FROM_POOL:
        in_pool(device.alloc(call, PAGE), restricted)
    mapping = device.map_single(probe.buffer(PAGE), Direction.TO_DEVICE)
    in_pool(mapping, restricted)


@pytest.mark.property("D4", "D10")
def test_an_exhausted_region_gives_null(
    device: Device, driver: str, counters: PoolCounters
) -> None:
    """When the region is full coherent memory is NULL; the restricted pool does not stand in."""
    device.take_memory_region(1)

    pages = allocate(device, PAGE, attempts=MIB // PAGE + 2)

    assert sorted(page.dma_addr for page in pages.values()) == [
        OWN[driver].base + offset for offset in range(0, MIB, PAGE)
    ]
    slots_used(counters, 0)


@pytest.mark.property("D9", "D10")
@on_both
def test_a_region_of_its_own_serves_atomic_allocations(device: Device, driver: str) -> None:
    """That region is mapped already, so it serves a caller that must not sleep, coherent or not."""
    device.take_memory_region(1)

    allocation = device.alloc_coherent(PAGE, gfp=Gfp.BOTTOM_HALF)

    in_pool(allocation, OWN[driver])


@pytest.mark.property("B1", "D1", "D10")
@pytest.mark.finding("release-lifts-restriction", kernels=">=5.15")
def test_a_driver_that_gives_its_region_back_stays_restricted(
    device: Device, probe: Probe, restricted: Region
) -> None:
    """A device is restricted as long as a driver is bound, whatever that does with its region."""
    device.take_memory_region(1)
    device.release_memory_regions()

    mapping = device.map_single(probe.buffer(PAGE), Direction.TO_DEVICE)
    allocation = device.alloc_coherent(PAGE)

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
) -> None:
    """What came from the pool returns to the pool, and no page of it to the page allocator."""
    allocation = device.alloc_coherent(SLOT_SET)
    device.release_memory_regions()

    allocation.free()

    with paused(guest):
        uses = page_uses(types, restricted.base, SLOT_SET // PAGE)
    assert (set(uses), counters.used) == ({MemoryUse.RESERVED}, 0)


@pytest.mark.property("D6", control=True)
def test_memory_that_is_freed_before_does(device: Device, counters: PoolCounters) -> None:
    """Freed while its driver holds the region, the same memory is the pool's again."""
    allocation = device.alloc_coherent(SLOT_SET)
    slots_used(counters, SLOT_SET // SLOT)

    allocation.free()
    device.release_memory_regions()

    slots_used(counters, 0)


@pytest.mark.property("D10")
def test_a_region_serves_when_the_pool_is_full(device: Device) -> None:
    """A driver that finds its restricted pool full has memory again when it takes its region."""
    allocate(device, SLOT_SET, attempts=100)
    refused(device.alloc_coherent, PAGE)

    device.take_memory_region(1)

    device.alloc_coherent(PAGE)
