# SPDX-License-Identifier: Apache-2.0
"""Properties E6, E7 and E17: pools whose size is not a multiple of 256 KiB."""

import pytest

from harness.devices.probe import Device, Direction, Probe
from harness.kernel import SLOT, Geometry
from harness.machine.devicetree import Devicetree, Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, Slot, restricted_pools, slots
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import (
    at_addresses,
    counted,
    equal,
    printed,
    refused,
    slots_used,
)
from harness.suite.lib.filling import (
    allocate,
    fill,
    page_order_size,
    places,
    unmap,
)

KIB = 1024
SHAPE = "odd/pool-sizes"

OVERRUN = pytest.mark.finding("6.1-odd-size-overrun", kernels=">=5.15,<6.6")
UNALIGNED = pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.2")

LIMITLESS = (1 << 64) - 1
"""``SIZE_MAX``."""

pytestmark = pytest.mark.parametrize("shape", [SHAPE])


def user(probe: Probe, pool: Pool) -> Device:
    """The only device of *pool*."""
    return probe.device(pool.users[0].lstrip("/"))


def with_slots(devicetree: Devicetree) -> list[Pool]:
    """The pools of at least one slot."""
    return [pool for pool in devicetree.pools if pool.size >= SLOT]


@pytest.mark.property("E6", "E17")
def test_every_slot_of_a_pool_can_be_used_and_none_outside(
    guest: Guest, probe: Probe, devicetree: Devicetree, page: int
) -> None:
    """Mappings of a byte use every slot that is wholly in the pool, and no other memory."""
    buffer = probe.buffer(page)

    for pool in with_slots(devicetree):
        whole = range(pool.base, pool.base + pool.size // SLOT * SLOT, SLOT)
        mapped = fill(user(probe, pool), buffer, 1, attempts=len(whole) + 4)
        equal(sorted(one.dma_addr for one in mapped.values()), list(whole), f"slots of {pool}")
        counters = PoolCounters(guest.agent, pool.name)
        counted(counters.nslabs, len(whole), "slots (io_tlb_nslabs)")
        slots_used(counters, len(whole))


@pytest.mark.property("E6", "B8")
@pytest.mark.parametrize("pages", [pytest.param(3, marks=OVERRUN), 0], ids=["12288", "262144"])
def test_a_pool_holds_as_many_mappings_as_fit(
    probe: Probe, devicetree: Devicetree, pages: int, page: int, slot_set: int
) -> None:
    """A pool holds as many mappings of a size as slot sets and alignment allow."""
    buffer, size = probe.buffer(slot_set), pages * page or slot_set

    for pool in with_slots(devicetree):
        expected = places(pool, size, slot_set, page)
        mapped = fill(user(probe, pool), buffer, size, attempts=len(expected) + 4)
        at_addresses(mapped.values(), expected)


@pytest.mark.property("E6", "D3", "D4")
@pytest.mark.parametrize(
    "pages", [1, pytest.param(3, marks=UNALIGNED), 0], ids=["1", "12288", "262144"]
)
def test_a_pool_holds_as_much_coherent_memory_as_fits(
    probe: Probe, devicetree: Devicetree, pages: int, page: int, slot_set: int
) -> None:
    """A pool holds as many coherent allocations of a size as their alignment allows."""
    size = pages * page or slot_set

    for pool in with_slots(devicetree):
        expected = places(pool, size, slot_set, page_order_size(size, page))
        given = allocate(user(probe, pool), size - page + 1, attempts=len(expected) + 4)
        at_addresses(given.values(), expected)


@pytest.mark.property("E6", control=True)
def test_a_slot_more_of_the_pool_is_a_mapping_more(
    probe: Probe, devicetree: Devicetree, page: int
) -> None:
    """A pool holds one mapping of a byte for each slot: 129 in 258 KiB, 127 in 254 KiB."""
    buffer = probe.buffer(page)

    held = {
        label: len(fill(user(probe, devicetree.pool(label)), buffer, 1, attempts=200))
        for label in ("size_254k", "size_258k")
    }

    equal(held, {"size_254k": 127, "size_258k": 129}, "mappings by pool")


@pytest.mark.property("E7")
def test_a_pool_of_less_than_a_slot_gives_nothing(
    guest: Guest, probe: Probe, devicetree: Devicetree, page: int
) -> None:
    """A pool smaller than a slot refuses every mapping, with a message and without fallback."""
    small = [pool for pool in devicetree.pools if pool.size < SLOT]
    buffer = probe.buffer(page)
    mark = guest.console.mark

    for pool in small:
        device = user(probe, pool)
        refused(device.map_single, buffer, Direction.TO_DEVICE, size=1)
        refused(device.alloc_coherent, 1)
        counted(device.info().max_mapping_size, LIMITLESS, "bytes: dma_max_mapping_size()")
    counted(len(small), 2, "pools smaller than a slot")
    printed(guest, "Can ?not allocate SWIOTLB buffer earlier", since=mark)


@pytest.mark.property("E7", control=True)
@pytest.mark.needs("KASAN sees odd-size-free-list here: docs/findings.md", config="KASAN=n")
def test_a_pool_of_one_slot_gives_one(probe: Probe, devicetree: Devicetree, page: int) -> None:
    """A pool of 2048 bytes holds one mapping of up to 2048 bytes, and no second one."""
    device, buffer = user(probe, devicetree.pool("size_2k")), probe.buffer(page)

    refused(device.map_single, buffer, Direction.TO_DEVICE, size=SLOT + 1)
    with device.map_single(buffer, Direction.TO_DEVICE, size=SLOT):
        refused(device.map_single, buffer, Direction.TO_DEVICE, size=1)


@pytest.mark.property("E6", "B13")
@pytest.mark.needs("KASAN sees odd-size-free-list here: docs/findings.md", config="KASAN=n")
@pytest.mark.needs("the kernel would read a red zone: odd-size-free-list", config="SLUB_DEBUG_ON=n")
def test_an_emptied_pool_is_as_it_was(
    probe: Probe, devicetree: Devicetree, types: KernelTypes, geometry: Geometry
) -> None:
    """After all mappings are unmapped, the free list equals that of a pool that was never used."""
    buffer = probe.buffer(1)
    large = {pool.name: pool for pool in devicetree.pools if pool.size >= 200 * KIB}

    for pool in large.values():
        device = user(probe, pool)
        unmap(device, fill(device, buffer, 1, attempts=pool.size // SLOT))

    for state in (one for one in restricted_pools(types) if one.name in large):
        table = slots(types, state)
        free = [slot.list for slot in table]
        expected = free_list(state.nslabs, geometry.slots_of_set)
        equal(free, expected, f"the free list of {state.name}")
        used = [number for number, slot in enumerate(table) if not is_empty(slot)]
        equal(used, [], f"slots of {state.name} with data of an earlier mapping")


@pytest.mark.property("E6", "B1", "B12")
@pytest.mark.finding("odd-size-free-list", kernels=">=5.15")
@pytest.mark.needs("946fa0dbf2d8: a red zone behind the bytes that were asked for", since="6.2")
@pytest.mark.parametrize("append", ["slub_debug=UZ"])
def test_an_emptied_pool_does_not_grow(probe: Probe, devicetree: Devicetree, slot_set: int) -> None:
    """The kernel does not give out 48 KiB where only the last 44 KiB of a pool are free.

    The kernel's slot table ends where the slab allocator puts its red zone.
    """
    pool = devicetree.pool("size_300k_and_1")
    device, buffer = user(probe, pool), probe.buffer(slot_set)
    pieces = list(fill(device, buffer, 32 * KIB, attempts=8))
    device.map_single(buffer, Direction.TO_DEVICE, size=44 * KIB).unmap()
    unmap(device, pieces[::2])

    given = fill(device, buffer, 48 * KIB, attempts=1).values()

    at_addresses(given, [])


@pytest.mark.property("E6", control=True)
@pytest.mark.needs("KASAN sees odd-size-free-list here: docs/findings.md", config="KASAN=n")
def test_what_fitted_once_fits_again(probe: Probe, devicetree: Devicetree, slot_set: int) -> None:
    """A mapping of 44 KiB fits the last 44 KiB of the same pool again and again."""
    pool = devicetree.pool("size_300k_and_1")
    device, buffer = user(probe, pool), probe.buffer(slot_set)
    pieces = list(fill(device, buffer, 32 * KIB, attempts=8))
    unmap(device, pieces[::2])

    for _ in range(3):
        (handle,) = fill(device, buffer, 44 * KIB, attempts=1)
        unmap(device, [handle])


def free_list(count: int, in_set: int) -> list[int]:
    """The free list of an empty pool: for each slot, the free slots from there to its set's end."""
    return [min(in_set - index % in_set, count - index) for index in range(count)]


def is_empty(slot: Slot) -> bool:
    """Whether the slot has no data of an earlier mapping."""
    return (slot.orig_addr, slot.alloc_size, slot.pad) == (None, 0, 0)
