# SPDX-License-Identifier: Apache-2.0
"""Property B13: the search finds free slots, wherever they are and wherever it begins.

A search begins where the last mapping of the pool ended, and wraps around at the pool's end
(kernel/dma/swiotlb.c:swiotlb_search_pool_area, 6.12).
"""

from itertools import permutations

import pytest

from harness.devices.probe import Buffer, Device, Direction, Probe
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.suite.lib.expect import at_addresses, equal, require
from harness.suite.lib.filling import fill, unmap

KIB = 1024

FOUR_FIT = "a mapping of four slots fits"

TWO_SETS = pytest.mark.parametrize("sets", [2], ids=["512K"])
OFF_A_SET = pytest.mark.parametrize(("sets", "quarters_up"), [(1, 1)], ids=["base-64K"])
"""A pool of one slot set, whose base is a quarter of that from a multiple of its size."""


def edges(count: int) -> set[int]:
    """Indices of *count* mappings in two slot sets: the first, the last, and around the middle."""
    half = count // 2
    return {0, 1, half - 1, half, half + 1, half + half // 2, count - 2, count - 1}


def map_again(device: Device, buffer: Buffer, handles: list[int], index: int) -> int:
    """Unmap one of *handles* and map *buffer* again; returns the new address."""
    unmap(device, [handles[index]])
    mapped = fill(device, buffer, buffer.size, attempts=1)
    require(mapped, f"a mapping in the free slots of mapping {index}", "DMA_MAPPING_ERROR")
    ((handles[index], place),) = mapped.items()
    return place.dma_addr


@pytest.mark.property("B13")
@TWO_SETS
@pytest.mark.parametrize("part", [0, 4], ids=["4096", "65536"])
def test_the_only_hole_is_found(
    device: Device, probe: Probe, pool: Pool, page: int, slot_set: int, part: int
) -> None:
    """The search finds the only hole, a page or a quarter of a set, wherever it begins."""
    size = slot_set // part if part else page
    buffer = probe.buffer(size)
    handles = list(fill(device, buffer, size, attempts=pool.size // size))

    for begin, hole in permutations(edges(len(handles)), 2):
        map_again(device, buffer, handles, begin)
        place = map_again(device, buffer, handles, hole)
        equal(place, pool.base + hole * size, f"the mapping, after one of index {begin}")


@pytest.mark.property("B13", control=True)
@TWO_SETS
def test_the_next_mapping_goes_behind_the_last(
    device: Device, probe: Probe, pool: Pool, page: int
) -> None:
    """The search begins at the end of the last mapping, also in an empty pool."""
    buffer = probe.buffer(page)

    for number in range(4):
        mapping = device.map_single(buffer, Direction.TO_DEVICE)
        mapping.unmap()
        at_addresses([mapping], [pool.base + number * page])


@pytest.mark.property("B7", "B12")
@TWO_SETS
def test_free_slots_of_two_sets_are_not_taken_for_neighbours(
    device: Device, probe: Probe, pool: Pool, slot_set: int
) -> None:
    """The kernel does not merge free slots at the end of a slot set with used slots of the next."""
    fit = four_slots_fit(device, probe, pool, slot_set // SLOT - 2)
    equal(fit, False, FOUR_FIT)


@pytest.mark.property("B7", "B12", control=True)
@TWO_SETS
def test_free_slots_of_one_set_that_are_free_are_neighbours(
    device: Device, probe: Probe, pool: Pool, slot_set: int
) -> None:
    """The kernel finds four free slots within a slot set, unmapped in the same order."""
    fit = four_slots_fit(device, probe, pool, slot_set // SLOT // 2, taken=False)
    equal(fit, True, FOUR_FIT)


def four_slots_fit(
    device: Device, probe: Probe, pool: Pool, first: int, *, taken: bool = True
) -> bool:
    """Whether 8 KiB can be mapped in a full pool after slots *first* to *first* + 3 were unmapped.

    The last two of them were free when the first two were unmapped; with *taken* they are mapped
    again, since the search begins behind its last find. Other slots are free too, but no two of
    them are adjacent.
    """
    buffer = probe.buffer(4 * SLOT)
    handles = list(fill(device, buffer, 1, attempts=pool.size // SLOT))
    unmap(device, handles[first + 2 : first + 4])
    unmap(device, handles[first : first + 2])
    front = fill(device, buffer, 1, attempts=2)
    given = sorted(one.dma_addr for one in front.values())
    equal(given, [pool.base + slot * SLOT for slot in (first, first + 1)], "the first two slots")
    unmap(device, list(front))
    if taken:
        behind = fill(device, buffer, 1, attempts=2)
        given = sorted(one.dma_addr for one in behind.values())
        equal(given[:1], [pool.base + (first + 2) * SLOT], "the third slot")
    unmap(device, handles[0:8:2])
    return bool(fill(device, buffer, buffer.size, attempts=1))


@pytest.mark.property("B11", "B13")
@pytest.mark.finding("search-misses-slots", kernels=">=6.3")
@pytest.mark.finding("6.1-odd-size-overrun", kernels=">=5.15,<6.3")
@pytest.mark.parametrize(("shape", "driver"), [("odd/pool-sizes", "size-258k")])
def test_an_empty_pool_takes_the_largest_mapping(
    device: Device, probe: Probe, slot_set: int
) -> None:
    """A mapping of 256 KiB fits an empty pool of 258 KiB after other mappings."""
    buffer = probe.buffer(min(slot_set, 256 * KIB))
    device.map_single(buffer, Direction.TO_DEVICE, size=1).unmap()

    device.map_single(buffer, Direction.TO_DEVICE)


@pytest.mark.property("B11", "B13", control=True)
@pytest.mark.parametrize(("shape", "driver"), [("odd/pool-sizes", "size-258k")])
def test_a_new_pool_takes_the_largest_mapping(device: Device, probe: Probe, slot_set: int) -> None:
    """A mapping of 256 KiB fits a pool of 258 KiB that was never used."""
    device.map_single(probe.buffer(min(slot_set, 256 * KIB)), Direction.TO_DEVICE)


@pytest.mark.property("B13", "D5")
@pytest.mark.finding("search-misses-slots", kernels=">=6.3")
@OFF_A_SET
def test_an_empty_pool_gives_coherent_memory_again(
    device: Device, page: int, slot_set: int
) -> None:
    """Half a slot set of coherent memory fits an empty pool of one set after other allocations."""
    for size in (slot_set // 4, page):
        device.alloc_coherent(size).free()

    device.alloc_coherent(slot_set // 2)


@pytest.mark.property("B13", "D5", control=True)
@OFF_A_SET
def test_a_new_pool_gives_that_coherent_memory(device: Device, slot_set: int) -> None:
    """Half a slot set of coherent memory fits that pool again and again without others."""
    for _ in range(3):
        device.alloc_coherent(slot_set // 2).free()
