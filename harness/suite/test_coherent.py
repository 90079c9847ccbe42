# SPDX-License-Identifier: Apache-2.0
"""Properties D1 to D4 and D6: memory that the DMA API allocates comes from the pool alone."""

import pytest

from harness.devicetree import Pool
from harness.dma import (
    Allocation,
    AllocationError,
    AllocCall,
    Byte,
    Device,
    Direction,
    Gfp,
    Probe,
    Seed,
)
from harness.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import COHERENT, DRIVERS, PLATFORM
from harness.vm.shape import NO_POOL

PAGE = 4096
SLOT = 2048
LARGEST = 256 * 1024
SIZES = (1, PAGE, PAGE + 1, 5 * PAGE, 64 * 1024, LARGEST)
CPU = Seed(0xC9)

PAGE_CALLS = (AllocCall.PAGES, AllocCall.NONCOHERENT, AllocCall.NONCONTIGUOUS)


def page_order_size(size: int) -> int:
    """The smallest power of two of pages that holds *size* bytes, in bytes."""
    return PAGE << max(0, (-(-size // PAGE) - 1).bit_length())


def fill(device: Device, call: AllocCall, size: int) -> list[Allocation]:
    """Allocate until the kernel says no."""
    allocations = []
    while True:
        try:
            allocations.append(device.alloc(call, size))
        except AllocationError:
            return allocations


@pytest.mark.property("D1")
@pytest.mark.parametrize("driver", DRIVERS)
def test_coherent_memory_lies_in_the_pool(device: Device, pool: Pool) -> None:
    """dma_alloc_coherent returns a handle, and memory behind it, inside the pool."""
    for size in SIZES:
        allocation = device.alloc_coherent(size)

        assert pool.contains(allocation.dma_addr, size)
        assert allocation.phys == allocation.dma_addr
        allocation.free()


@pytest.mark.property("D1")
@pytest.mark.parametrize("driver", DRIVERS)
def test_coherent_memory_is_shared_with_the_device(device: Device, memory: LiveMemory) -> None:
    """What the CPU writes the device reads at the handle, and the other way round."""
    allocation = device.alloc_coherent(PAGE)

    allocation.fill(CPU)
    assert memory.read(allocation.dma_addr, PAGE) == CPU.content(0, PAGE)
    memory.write(allocation.dma_addr, bytes(PAGE))
    assert allocation.holds(Byte(0))


@pytest.mark.property("D1")
@pytest.mark.parametrize("driver", DRIVERS)
def test_coherent_memory_is_zeroed(device: Device, pool: Pool, memory: LiveMemory) -> None:
    """New coherent memory holds zeros, although the pool held other bytes there."""
    memory.write(pool.base, b"stale..." * (pool.size // 8))

    for size in SIZES:
        allocation = device.alloc_coherent(size)
        assert allocation.holds(Byte(0)), size


@pytest.mark.property("D2")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
@pytest.mark.parametrize("call", PAGE_CALLS, ids=lambda call: call.name)
def test_allocated_pages_lie_in_the_pool(device: Device, pool: Pool, call: AllocCall) -> None:
    """dma_alloc_pages, _noncoherent and _noncontiguous return memory inside the pool."""
    for size in SIZES:
        allocation = device.alloc(call, size)

        assert pool.contains(allocation.dma_addr, size)
        assert allocation.phys == allocation.dma_addr
        allocation.free()


@pytest.mark.property("D1", control=True)
@pytest.mark.property("D2", control=True)
@pytest.mark.property("D4", control=True)
@pytest.mark.parametrize("call", AllocCall, ids=lambda call: call.name)
@pytest.mark.parametrize(("shape", "driver"), [("pool-platform", COHERENT)])
def test_a_device_without_a_pool_is_given_other_memory(
    device: Device, pool: Pool, call: AllocCall
) -> None:
    """An unrestricted device never gets memory of a pool that another device has."""
    assert not pool.contains(device.alloc(call, PAGE).dma_addr)


@pytest.mark.property("D3")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
@pytest.mark.parametrize("call", [AllocCall.COHERENT, *PAGE_CALLS], ids=lambda call: call.name)
def test_an_allocation_is_aligned_to_its_page_order(
    device: Device, probe: Probe, call: AllocCall
) -> None:
    """Every address is a multiple of the smallest power of two of pages that holds the size."""
    odd = probe.buffer(SLOT)

    for size in SIZES:
        device.map_single(odd, Direction.TO_DEVICE)  # so that the next free slot is unaligned
        assert device.alloc(call, size).dma_addr % page_order_size(size) == 0, size


@pytest.mark.property("D3", control=True)
def test_a_streaming_mapping_is_not_aligned_to_its_size(device: Device, probe: Probe) -> None:
    """A pool does hold unaligned room: a streaming mapping of 20 KiB may begin on any page."""
    buffer = probe.buffer(5 * PAGE)

    places = [device.map_single(buffer, Direction.TO_DEVICE).dma_addr for _ in range(4)]

    assert any(place % page_order_size(5 * PAGE) for place in places)


@pytest.mark.property("D4")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
@pytest.mark.parametrize("call", [AllocCall.COHERENT, *PAGE_CALLS], ids=lambda call: call.name)
def test_an_exhausted_pool_gives_null_and_no_other_memory(
    device: Device, pool: Pool, counters: PoolCounters, call: AllocCall
) -> None:
    """When no room is left an allocation is NULL; none ever comes from outside the pool."""
    allocations = fill(device, call, LARGEST)

    assert len(allocations) == pool.size // LARGEST
    assert all(pool.contains(one.dma_addr, one.size) for one in allocations)
    assert counters.used == pool.size // SLOT


@pytest.mark.property("D4")
@pytest.mark.parametrize("driver", DRIVERS)
def test_an_allocation_larger_than_a_slot_set_is_null(device: Device) -> None:
    """More than 256 KiB is NULL from an empty pool, and comes from nowhere else."""
    with pytest.raises(AllocationError):
        device.alloc_coherent(LARGEST + 1)


@pytest.mark.property("D4")
@pytest.mark.parametrize("driver", [COHERENT])
def test_an_atomic_allocation_does_not_use_the_atomic_pool(device: Device) -> None:
    """GFP_ATOMIC on an exhausted pool is NULL as well: the atomic pools are not restricted."""
    fill(device, AllocCall.COHERENT, LARGEST)

    with pytest.raises(AllocationError):
        device.alloc_coherent(PAGE, gfp=Gfp.ATOMIC)


@pytest.mark.property("D4", control=True)
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_large_allocations_succeed(device: Device) -> None:
    """An unrestricted device is given more than a slot set, so the pool is what said no."""
    assert device.alloc_coherent(4 * LARGEST).size == 4 * LARGEST


@pytest.mark.property("D6")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
@pytest.mark.parametrize("call", [AllocCall.COHERENT, *PAGE_CALLS], ids=lambda call: call.name)
def test_free_returns_every_slot(device: Device, counters: PoolCounters, call: AllocCall) -> None:
    """After free io_tlb_used is what it was, and everything can be allocated again."""
    before = counters.used
    sizes = [LARGEST, *SIZES]

    for _ in range(3):
        allocations = [device.alloc(call, size) for size in sizes]
        assert counters.used > before
        for allocation in allocations:
            allocation.free()
        assert counters.used == before


@pytest.mark.property("D6", control=True)
def test_a_forgotten_allocation_keeps_its_slots(device: Device, counters: PoolCounters) -> None:
    """A driver that never frees keeps its slots: the count would tell a leak."""
    device.alloc_coherent(LARGEST).forget()

    assert counters.used == LARGEST // SLOT
