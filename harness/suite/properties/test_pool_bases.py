# SPDX-License-Identifier: Apache-2.0
"""Properties D5, E8, B8, B9 and B11: pools whose bases have every alignment."""

import pytest

from harness.devices.probe import Device, Direction, Probe
from harness.machine.devicetree import Devicetree, Pool
from harness.machine.qemu.guest import Guest
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import at_addresses, bits_kept, counted, refused, slots_used
from harness.suite.lib.filling import (
    PAGE,
    SLOT,
    SLOT_SET,
    allocate,
    fill,
    page_order_size,
    places,
    unmap,
)

pytestmark = pytest.mark.parametrize("shape", ["odd/pool-bases"])

ON_SLOTS = ("base_256k", "base_128k", "base_64k", "base_4k", "base_2k")
ON_PAGES = ON_SLOTS[:-1]
OFF_SLOTS = ("base_1k", "base_1")


def user(probe: Probe, pool: Pool) -> Device:
    """The one device that has this pool."""
    return probe.device(pool.users[0].lstrip("/"))


@pytest.mark.property("E6", "E17", "B8")
def test_every_slot_can_be_used_from_the_base_on(
    guest: Guest, probe: Probe, devicetree: Devicetree
) -> None:
    """The first slot begins with the pool, wherever that is on a multiple of 2 KiB."""
    buffer = probe.buffer(PAGE)

    for pool in map(devicetree.pool, ON_SLOTS):
        mapped = fill(user(probe, pool), buffer, 1, attempts=pool.size // SLOT + 4)
        at_addresses(mapped.values(), places(pool, 1))
        slots_used(PoolCounters(guest.agent, pool.name), pool.size // SLOT)


@pytest.mark.property("B8")
@pytest.mark.finding("6.1-page-of-the-pool", kernels=">=5.15,<6.3")
@pytest.mark.parametrize("size", [PAGE, 3 * PAGE])
def test_mappings_of_a_page_and_more_lie_on_pages(
    probe: Probe, devicetree: Devicetree, size: int
) -> None:
    """A page is aligned as memory is, not as the pool is; what lies before it stays unused."""
    buffer = probe.buffer(SLOT_SET)

    for pool in map(devicetree.pool, ON_SLOTS):
        mapped = fill(user(probe, pool), buffer, size, attempts=pool.size // size + 1)
        at_addresses(mapped.values(), places(pool, size, PAGE))


@pytest.mark.property("D3", "D5")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.2")
@pytest.mark.parametrize("size", [PAGE, SLOT_SET // 4, SLOT_SET // 2])
def test_coherent_memory_fits_where_its_natural_alignment_does(
    probe: Probe, devicetree: Devicetree, size: int
) -> None:
    """Of each size a pool has just the places that are aligned to it and lie in one slot set."""
    for pool in map(devicetree.pool, ON_SLOTS):
        given = allocate(user(probe, pool), size, attempts=pool.size // size + 1)
        expected = places(pool, size, page_order_size(size))
        at_addresses(given.values(), expected)


@pytest.mark.property("D5")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.2")
def test_the_largest_coherent_memory_needs_an_aligned_pool(
    probe: Probe, devicetree: Devicetree
) -> None:
    """Four times 256 KiB fit into 1 MiB on a multiple of 256 KiB, and not once on any other."""
    given = {
        label: len(allocate(user(probe, devicetree.pool(label)), SLOT_SET, attempts=5))
        for label in ON_SLOTS
    }

    assert given == {label: 4 if label == "base_256k" else 0 for label in ON_SLOTS}


@pytest.mark.property("D5", control=True)
@pytest.mark.property("B11")
def test_the_largest_mapping_needs_none(probe: Probe, devicetree: Devicetree) -> None:
    """Mappings have no such alignment: four of 256 KiB fit into 1 MiB on any page."""
    buffer = probe.buffer(SLOT_SET)

    for pool in map(devicetree.pool, ON_PAGES):
        device = user(probe, pool)
        assert device.info().max_mapping_size == SLOT_SET
        mapped = fill(device, buffer, SLOT_SET, attempts=5)
        at_addresses(mapped.values(), places(pool, SLOT_SET, PAGE))
        counted(len(mapped), 4, "mappings")


@pytest.mark.property("B11")
@pytest.mark.finding("pool-off-a-page", kernels=">=6.9")
def test_the_largest_mapping_fits_into_a_pool_off_a_page(
    probe: Probe, devicetree: Devicetree
) -> None:
    """What dma_max_mapping_size() says does fit when the pool begins in the middle of a page."""
    pool = devicetree.pool("base_2k")
    device, buffer = user(probe, pool), probe.buffer(SLOT_SET)

    mapped = fill(device, buffer, device.info().max_mapping_size, attempts=1)

    assert mapped


@pytest.mark.property("B9")
@pytest.mark.finding("boundary-hides-base", kernels=">=5.15")
def test_an_aligned_mapping_is_aligned_within_a_boundary_too(
    probe: Probe, devicetree: Devicetree
) -> None:
    """A segment boundary of 4 KiB changes nothing in what a min_align_mask of 8 KiB asks for."""
    device, buffer = user(probe, devicetree.pool("base_4k")), probe.buffer(2 * PAGE)
    device.set_min_align_mask(2 * PAGE - 1)
    device.set_seg_boundary(PAGE - 1)

    for offset in (0, PAGE):
        mapping = device.map_single(buffer, Direction.TO_DEVICE, offset=offset, size=PAGE)
        bits_kept(mapping.dma_addr, buffer.phys + offset, 2 * PAGE - 1, "a page")


@pytest.mark.property("B9", control=True)
def test_an_aligned_mapping_is_aligned_without_a_boundary(
    probe: Probe, devicetree: Devicetree
) -> None:
    """The same pool does have such places, and without the boundary they are found."""
    device, buffer = user(probe, devicetree.pool("base_4k")), probe.buffer(2 * PAGE)
    device.set_min_align_mask(2 * PAGE - 1)

    for offset in (0, PAGE):
        mapping = device.map_single(buffer, Direction.TO_DEVICE, offset=offset, size=PAGE)
        bits_kept(mapping.dma_addr, buffer.phys + offset, 2 * PAGE - 1, "a page")


@pytest.mark.property("E8")
@pytest.mark.since("6.9", "04867a7a3332: before, the search did not look at the pool's address")
def test_nothing_fits_into_a_pool_off_a_slot(
    guest: Guest, probe: Probe, devicetree: Devicetree
) -> None:
    """A base that is no multiple of 2 KiB leaves no place at all; the kernel says "full"."""
    buffer = probe.buffer(PAGE)

    for pool in map(devicetree.pool, OFF_SLOTS):
        device, mark = user(probe, pool), guest.console.mark
        assert not fill(device, buffer, 1, attempts=2), pool
        assert not allocate(device, 1, attempts=2), pool
        refused(device.map_single, buffer, Direction.TO_DEVICE)
        full = rf"{device.name}: swiotlb buffer is full .*, total 512 \(slots\), used 0 \(slots\)"
        guest.console.wait_for(full, timeout=5, since=mark)
        slots_used(PoolCounters(guest.agent, pool.name), 0)


@pytest.mark.property("E8", control=True)
def test_a_base_on_a_slot_is_all_it_takes(probe: Probe, devicetree: Devicetree) -> None:
    """The same pool 1 KiB further on gives all of its slots, time and again."""
    pool = devicetree.pool("base_2k")
    device, buffer = user(probe, pool), probe.buffer(PAGE)

    for _ in range(2):
        mapped = fill(device, buffer, 1, attempts=pool.size // SLOT + 1)
        assert len(mapped) == pool.size // SLOT
        unmap(device, mapped)
