# SPDX-License-Identifier: Apache-2.0
"""Properties D1 to D4, D6 and D11: the DMA API allocates from the pool only."""

import pytest

from harness.devices.probe import AllocCall, Byte, Device, Direction, Probe
from harness.kernel import SLOT, Geometry
from harness.machine.devicetree import Pool
from harness.machine.shape import NO_POOL
from harness.observe.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import COHERENT, DRIVERS, PLATFORM
from harness.suite.lib.expect import (
    aligned,
    counted,
    equal,
    holds,
    in_pool,
    outside,
    refused,
    require,
    same_bytes,
    slots_used,
)
from harness.suite.lib.filling import (
    allocate,
    fill,
    free,
    page_order_size,
    unmap,
)
from harness.suite.lib.written import CPU


@pytest.fixture
def sizes(geometry: Geometry) -> tuple[int, ...]:
    """Bytes of allocations: within and beyond a page, orders of pages, a whole slot set."""
    page, slot_set = geometry.page, geometry.slot_set
    some = (1, page, page + 1, 5 * page, 64 * 1024, slot_set)
    return tuple(size for size in some if page_order_size(size, page) <= slot_set)


@pytest.mark.property("D1")
@pytest.mark.parametrize("driver", DRIVERS)
def test_coherent_memory_is_shared_with_the_device(
    device: Device, memory: LiveMemory, page: int
) -> None:
    """CPU and device see each other's writes to coherent memory."""
    allocation = device.alloc_coherent(page)

    allocation.fill(CPU)
    same_bytes(memory, allocation.dma_addr, CPU.content(0, page))
    memory.write(allocation.dma_addr, bytes(page))
    holds(allocation, Byte(0))


@pytest.mark.property("D1", "D2", "D11")
@pytest.mark.parametrize("driver", DRIVERS)
def test_every_allocation_lies_in_the_pool(
    device: Device, pool: Pool, sizes: tuple[int, ...]
) -> None:
    """Every allocating function returns a handle, and memory, in the pool."""
    for call in AllocCall:
        for size in sizes:
            allocation = device.alloc(call, size)
            in_pool(allocation, pool)
            equal(allocation.phys, allocation.dma_addr, f"phys of {call.name}, {size} bytes")
            allocation.free()


@pytest.mark.property("D1", "D2", "D11", control=True)
@pytest.mark.property("D4", control=True)
@pytest.mark.parametrize(("shape", "driver"), [("pool-platform", COHERENT)])
def test_a_device_without_a_pool_is_given_other_memory(
    device: Device, pool: Pool, page: int
) -> None:
    """An unrestricted device never gets memory of another device's pool."""
    for call in AllocCall:
        outside(device.alloc(call, page), pool)


@pytest.mark.property("D1", "D2", "D11")
@pytest.mark.parametrize("driver", DRIVERS)
def test_new_memory_is_zeroed(
    device: Device, pool: Pool, memory: LiveMemory, sizes: tuple[int, ...]
) -> None:
    """New memory holds zeros, even where the pool held other bytes."""
    memory.write(pool.base, b"stale..." * (pool.size // 8))

    for call in AllocCall:
        for size in sizes:
            holds(device.alloc(call, size), Byte(0), summary=f"{call.name}: memory is not zeroed.")


@pytest.mark.property("D3", "D11")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.2")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_an_allocation_is_aligned_to_its_page_order(
    device: Device, probe: Probe, page: int, sizes: tuple[int, ...]
) -> None:
    """Every address is a multiple of the page order of the allocation's size."""
    odd = probe.buffer(SLOT)

    for call in AllocCall:
        for size in sizes:
            device.map_single(odd, Direction.TO_DEVICE)  # the next free slot is unaligned
            place = device.alloc(call, size).dma_addr
            aligned(place, page_order_size(size, page), f"{call.name}, {size} bytes")


@pytest.mark.property("D3", control=True)
def test_a_streaming_mapping_is_not_aligned_to_its_size(
    device: Device, probe: Probe, page: int
) -> None:
    """A pool has unaligned room: a streaming mapping of two pages may begin on any page."""
    buffer = probe.buffer(2 * page)

    device.map_single(buffer, Direction.TO_DEVICE, size=page)
    place = device.map_single(buffer, Direction.TO_DEVICE).dma_addr

    require(place % (2 * page), f"a mapping that is not aligned to {2 * page:#x}", f"{place:#x}")


@pytest.mark.property("D4", "D6", "D11")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_an_exhausted_pool_gives_null_and_no_other_memory(
    device: Device, pool: Pool, counters: PoolCounters, slot_set: int
) -> None:
    """An allocation from a full pool is NULL; none comes from outside the pool."""
    capacity = pool.size // slot_set

    for call in AllocCall:
        given = allocate(device, slot_set, attempts=capacity + 2, call=call)
        counted(len(given), capacity, "allocations")
        in_pool(given.values(), pool, slot_set)
        slots_used(counters, pool.size // SLOT)
        free(device, given)
        slots_used(counters, 0)


@pytest.mark.property("D4", "D11")
@pytest.mark.parametrize("driver", DRIVERS)
def test_an_allocation_larger_than_a_slot_set_is_null(
    device: Device, counters: PoolCounters, slot_set: int
) -> None:
    """An allocation of more than a slot set is NULL, and uses no other memory."""
    for call in AllocCall:
        refused(device.alloc, call, slot_set + 1)

    slots_used(counters, 0)


@pytest.mark.property("D4", control=True)
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_large_allocations_succeed(device: Device, slot_set: int) -> None:
    """An unrestricted device can allocate more than a slot set."""
    for call in AllocCall:
        counted(device.alloc(call, 4 * slot_set).size, 4 * slot_set, f"bytes of {call.name}")


@pytest.mark.property("D6", "D11")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_free_returns_every_slot(
    device: Device, counters: PoolCounters, slot_set: int, sizes: tuple[int, ...]
) -> None:
    """After free io_tlb_used has its old value, and everything can be allocated again."""
    before = counters.used

    for call in AllocCall:
        for _ in range(2):
            allocations = [device.alloc(call, size) for size in (slot_set, *sizes)]
            require(counters.used > before, f"{call.name}: more than {before} slots", f"{before}")
            for allocation in allocations:
                allocation.free()
            slots_used(counters, before)


@pytest.mark.property("D6", control=True)
def test_a_forgotten_allocation_keeps_its_slots(
    device: Device, counters: PoolCounters, slot_set: int
) -> None:
    """A driver that never frees keeps its slots in use: the counter shows a leak."""
    device.alloc_coherent(slot_set).forget()

    slots_used(counters, slot_set // SLOT)


@pytest.mark.property("D2", "C1", "C2")
@pytest.mark.parametrize("driver", [PLATFORM, COHERENT])
def test_a_sync_of_allocated_pages_copies_nothing(
    device: Device, probe: Probe, pool: Pool, memory: LiveMemory, slot_set: int
) -> None:
    """A sync of allocated pages changes neither them nor a buffer that was mapped there before."""
    buffer = probe.buffer(slot_set)
    mapped = fill(device, buffer, slot_set, attempts=pool.size // slot_set)
    unmap(device, list(mapped)[:1])
    pages = device.alloc_pages(slot_set)
    pages.fill(CPU)
    buffer.fill(Byte(0xB0))

    device.unchecked.sync_single_for_device(pages.dma_addr, slot_set, Direction.BIDIRECTIONAL)
    same_bytes(memory, pages.dma_addr, CPU.content(0, slot_set))
    device.unchecked.sync_single_for_cpu(pages.dma_addr, slot_set, Direction.BIDIRECTIONAL)
    holds(buffer, Byte(0xB0))
