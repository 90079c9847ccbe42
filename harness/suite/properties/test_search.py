# SPDX-License-Identifier: Apache-2.0
"""Properties B11 to B13: the slot search finds free slots, and ends when there are none.

The kernel searches a pool from behind its last find, in steps of the requested alignment, and so
may visit every slot or miss some (kernel/dma/swiotlb.c:swiotlb_search_pool_area, 6.12).
"""

import pytest

from harness.devices.probe import (
    Buffer,
    Call,
    Device,
    Direction,
    MapCall,
    Mapped,
    Probe,
    Slice,
    Space,
    calls,
)
from harness.kernel import SLOT, Geometry
from harness.machine.devicetree import Placement, Pool
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import at_addresses, not_mapped, require, slots_used

KIB = 1024

NVME = 4 * KIB - 1
"""The min_align_mask of drivers/nvme/host/pci.c: a mapping keeps the offset in NVMe's page."""

SMALL = {"pool": Placement(size=1024 * KIB)}

MISSES = pytest.mark.finding("search-misses-slots", kernels=">=6.3")


@pytest.fixture
def buffer(probe: Probe, slot_set: int) -> Buffer:
    """Two slot sets, at a multiple of their size."""
    return probe.buffer(2 * slot_set)


def map_slot(handle: int, device: Device, buffer: Buffer, phase: int) -> Call[Mapped]:
    """A call that maps one slot, from offset *phase* (0 or SLOT) of a page on."""
    return calls.map_buffer(
        handle, device.id, MapCall.SINGLE, buffer.handle, phase, SLOT, Direction.TO_DEVICE
    )


def fill_by_slots(device: Device, buffer: Buffer, pool: Pool) -> list[int]:
    """Map slot after slot of an empty *pool*; returns the handles in the order of addresses.

    The device must not have a min_align_mask yet: with one, 6.1 skips every other slot.
    """
    handles = [device.session.take_handle(Space.MAPPING) for _ in range(pool.size // SLOT)]
    mapped = device.session.call_all(
        map_slot(handle, device, buffer, slot % 2 * SLOT) for slot, handle in enumerate(handles)
    )
    at_addresses(mapped, list(range(pool.base, pool.end, SLOT)))
    return handles


@pytest.mark.property("B13")
@pytest.mark.parametrize("hole", [pytest.param(1, marks=MISSES), 2])
@pytest.mark.parametrize("placements", [SMALL], ids=["1 MiB"])
def test_what_is_unmapped_from_a_full_pool_can_be_mapped_again(
    device: Device, buffer: Buffer, pool: Pool, hole: int
) -> None:
    """With NVMe's min_align_mask the search finds a hole in a full pool, again and again."""
    handle = fill_by_slots(device, buffer, pool)[hole]
    device.set_min_align_mask(NVME)

    for _ in range(3):
        device.session.call(calls.unmap(handle))
        again = map_slot(handle, device, buffer, hole % 2 * SLOT)
        at_addresses([device.session.call(again)], [pool.base + hole * SLOT])


@pytest.mark.property("B11")
@pytest.mark.parametrize(
    "mask",
    [
        0,
        SLOT - 1,
        pytest.param(NVME, marks=MISSES),
    ],
)
@pytest.mark.parametrize("sets", [1], ids=["one set"])
def test_the_largest_mapping_fits_wherever_the_search_begins(
    device: Device, buffer: Buffer, counters: PoolCounters, mask: int, geometry: Geometry
) -> None:
    """A mapping of dma_max_mapping_size() fits an empty pool after a mapping of any size."""
    device.set_min_align_mask(mask)
    largest = Slice(buffer, mask, device.info().max_mapping_size)
    slots = range(1, geometry.slots_of_set - 1)
    befores = [Slice(buffer, mask, number * SLOT - mask % SLOT) for number in slots]

    tried = device.try_each([part for before in befores for part in (before, largest)])

    slots_used(counters, 0)
    for before, outcome in zip(befores, tried[1::2], strict=True):
        summary = f"The largest mapping does not fit after one of {before.length} bytes."
        require(
            isinstance(outcome, Mapped),
            f"{largest.length} bytes mapped",
            f"{outcome}",
            summary=summary,
        )


@pytest.mark.property("B12")
@pytest.mark.finding("6.1-endless-search", kernels=">=6.1,<6.3", ends=("HANG", "CRASH"))
@pytest.mark.parametrize("placements", [SMALL], ids=["1 MiB"])
def test_a_search_for_what_is_not_there_comes_to_an_end(
    device: Device, buffer: Buffer, pool: Pool, counters: PoolCounters
) -> None:
    """Map fails when slots are free but none has the bits that min_align_mask requires."""
    handles = fill_by_slots(device, buffer, pool)
    device.set_min_align_mask(NVME)
    device.session.call_all(calls.unmap(handle) for handle in handles[4::2])
    device.session.call(map_slot(handles[4], device, buffer, phase=0))  # the search begins there

    (tried,) = device.try_each([Slice(buffer, SLOT, SLOT)])

    not_mapped(tried, SLOT)
    slots_used(counters, len(handles[:5]) + len(handles[5::2]))


@pytest.mark.property("B13")
@pytest.mark.finding("large-mask-skips-pages", kernels=">=6.1")
@pytest.mark.parametrize("placements", [SMALL], ids=["1 MiB"])
def test_coherent_memory_is_found_whatever_the_min_align_mask(
    device: Device, pool: Pool, page: int
) -> None:
    """A min_align_mask does not keep coherent allocations from a free page."""
    device.set_min_align_mask(16 * page - 1)
    pages = [device.alloc_coherent(page) for _ in range(pool.size // page)]

    pages[5].free()

    at_addresses([device.alloc_coherent(page)], [pages[5].dma_addr])


@pytest.mark.property("B13", control=True)
@pytest.mark.parametrize("placements", [SMALL], ids=["1 MiB"])
def test_coherent_memory_is_found_without_a_mask(device: Device, pool: Pool, page: int) -> None:
    """Without a min_align_mask coherent allocations find the free page."""
    pages = [device.alloc_coherent(page) for _ in range(pool.size // page)]

    pages[5].free()

    at_addresses([device.alloc_coherent(page)], [pages[5].dma_addr])
