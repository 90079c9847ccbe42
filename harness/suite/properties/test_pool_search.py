# SPDX-License-Identifier: Apache-2.0
"""Property B13: what fits is found, wherever it is and wherever the search begins.

A pool remembers where its last mapping ended; the next search begins there and goes around
(kernel/dma/swiotlb.c:swiotlb_search_pool_area, 6.12).
"""

from collections.abc import Mapping
from itertools import permutations

import pytest

from harness.devices.probe import Buffer, Device, Direction, Probe
from harness.machine.devicetree import Placement, Pool
from harness.suite.lib.filling import PAGE, SLOT, SLOT_SET, allocate, fill, unmap

KIB = 1024


def sized(size: int, base: int | None = None) -> Mapping[str, Placement]:
    """The pool of the usual machine, but of *size* bytes, and at *base*."""
    return {"pool": Placement(base=base, size=size)}


def edges(count: int) -> set[int]:
    """Of *count* places in two slot sets: those at the edges, around the border, in between."""
    half = count // 2
    return {0, 1, half - 1, half, half + 1, half + half // 2, count - 2, count - 1}


def map_again(device: Device, buffer: Buffer, handles: list[int], index: int) -> int:
    """Unmap one of *handles* and map *buffer* once more; returns where that came to lie."""
    unmap(device, [handles[index]])
    mapped = fill(device, buffer, buffer.size, attempts=1)
    assert mapped, f"the place of mapping {index} is free, and not found"
    ((handles[index], place),) = mapped.items()
    return place.dma_addr


@pytest.mark.property("B13")
@pytest.mark.parametrize("placements", [sized(2 * SLOT_SET)], ids=["512K"])
@pytest.mark.parametrize("size", [PAGE, SLOT_SET // 4])
def test_the_only_hole_is_found(device: Device, probe: Probe, pool: Pool, size: int) -> None:
    """The one place left of a full pool is found from everywhere in the pool."""
    buffer = probe.buffer(size)
    handles = list(fill(device, buffer, size, attempts=pool.size // size))

    for begin, hole in permutations(edges(len(handles)), 2):
        map_again(device, buffer, handles, begin)
        place = map_again(device, buffer, handles, hole)
        assert place == pool.base + hole * size, (begin, hole)


@pytest.mark.property("B13", control=True)
@pytest.mark.parametrize("placements", [sized(2 * SLOT_SET)], ids=["512K"])
def test_the_next_mapping_goes_behind_the_last(device: Device, probe: Probe, pool: Pool) -> None:
    """The search does begin behind the last mapping: an empty pool is used from there on."""
    buffer = probe.buffer(PAGE)

    for page in range(4):
        mapping = device.map_single(buffer, Direction.TO_DEVICE)
        mapping.unmap()
        assert mapping.dma_addr == pool.base + page * PAGE


@pytest.mark.property("B7", "B12")
@pytest.mark.parametrize("placements", [sized(2 * SLOT_SET)], ids=["512K"])
def test_free_slots_of_two_sets_are_not_taken_for_neighbours(
    device: Device, probe: Probe, pool: Pool
) -> None:
    """Two slots at the end of a set stay two, when those behind them are given back and taken."""
    assert not four_slots_fit(device, probe, pool, SLOT_SET // SLOT - 2)


@pytest.mark.property("B7", "B12", control=True)
@pytest.mark.parametrize("placements", [sized(2 * SLOT_SET)], ids=["512K"])
def test_free_slots_of_one_set_that_are_free_are_neighbours(
    device: Device, probe: Probe, pool: Pool
) -> None:
    """Four slots within a set, given back in the same order and all still free, are found."""
    assert four_slots_fit(device, probe, pool, SLOT_SET // SLOT // 2, taken=False)


def four_slots_fit(
    device: Device, probe: Probe, pool: Pool, first: int, *, taken: bool = True
) -> bool:
    """Whether 8 KiB can be mapped in a full pool of which slots *first* to *first* + 3 were freed.

    The last two of them were free when the first two were, and are *taken* again since: the search
    goes on behind what it found last. There are other slots enough, none beside another.
    """
    buffer = probe.buffer(2 * PAGE)
    handles = list(fill(device, buffer, 1, attempts=pool.size // SLOT))
    unmap(device, handles[first + 2 : first + 4])
    unmap(device, handles[first : first + 2])
    front = fill(device, buffer, 1, attempts=2)
    assert sorted(one.dma_addr for one in front.values()) == [
        pool.base + slot * SLOT for slot in (first, first + 1)
    ]
    unmap(device, list(front))
    if taken:
        behind = fill(device, buffer, 1, attempts=2)
        assert min(one.dma_addr for one in behind.values()) == pool.base + (first + 2) * SLOT
    unmap(device, handles[0:8:2])
    return bool(fill(device, buffer, buffer.size, attempts=1))


@pytest.mark.property("B11", "B13")
@pytest.mark.finding("search-misses-slots", kernels=">=6.3")
@pytest.mark.finding("6.1-odd-size-overrun", kernels=">=5.15,<6.3")
@pytest.mark.parametrize(("shape", "driver"), [("odd/pool-sizes", "size-258k")])
def test_an_empty_pool_takes_the_largest_mapping(device: Device, probe: Probe) -> None:
    """256 KiB fit an empty pool of 258 KiB, whatever it held before."""
    buffer = probe.buffer(SLOT_SET)
    device.map_single(buffer, Direction.TO_DEVICE, size=1).unmap()

    assert fill(device, buffer, SLOT_SET, attempts=1)


@pytest.mark.property("B11", "B13", control=True)
@pytest.mark.parametrize(("shape", "driver"), [("odd/pool-sizes", "size-258k")])
def test_a_new_pool_takes_the_largest_mapping(device: Device, probe: Probe) -> None:
    """256 KiB do fit a pool of 258 KiB, if nothing else was mapped there before."""
    assert fill(device, probe.buffer(SLOT_SET), SLOT_SET, attempts=1)


@pytest.mark.property("B13", "D5")
@pytest.mark.finding("search-misses-slots", kernels=">=6.3")
@pytest.mark.parametrize("placements", [sized(SLOT_SET, 0x4F01_0000)], ids=["base-64K"])
def test_an_empty_pool_gives_coherent_memory_again(device: Device) -> None:
    """128 KiB fit an empty pool of 256 KiB on a multiple of 64 KiB, whatever it held before."""
    for size in (64 * KIB, PAGE):
        device.alloc_coherent(size).free()

    assert allocate(device, 128 * KIB, attempts=1)


@pytest.mark.property("B13", "D5", control=True)
@pytest.mark.parametrize("placements", [sized(SLOT_SET, 0x4F01_0000)], ids=["base-64K"])
def test_a_new_pool_gives_that_coherent_memory(device: Device) -> None:
    """128 KiB do fit that pool, time and again, if nothing else was allocated in between."""
    for _ in range(3):
        device.alloc_coherent(128 * KIB).free()
