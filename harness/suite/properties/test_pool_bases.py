# SPDX-License-Identifier: Apache-2.0
"""Properties B8, B9, B11, D5 and E8: pools whose bases have different alignments."""

import pytest

from harness.devices.probe import Device, Direction, Probe
from harness.machine.devicetree import Devicetree, Pool
from harness.machine.qemu.guest import Guest
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import (
    at_addresses,
    bits_kept,
    counted,
    equal,
    printed,
    refused,
    slots_used,
)
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
    """The only device of *pool*."""
    return probe.device(pool.users[0].lstrip("/"))


@pytest.mark.property("E6", "E17", "B8")
def test_every_slot_can_be_used_from_the_base_on(
    guest: Guest, probe: Probe, devicetree: Devicetree
) -> None:
    """The first slot begins at the pool's base, at any multiple of 2 KiB."""
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
    """A mapping of a page or more is page aligned in memory, whatever the pool's base."""
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
    """Coherent memory gets every address that is aligned to its size and lies in one slot set."""
    for pool in map(devicetree.pool, ON_SLOTS):
        given = allocate(user(probe, pool), size, attempts=pool.size // size + 1)
        expected = places(pool, size, page_order_size(size))
        at_addresses(given.values(), expected)


@pytest.mark.property("D5")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.2")
def test_the_largest_coherent_memory_needs_an_aligned_pool(
    probe: Probe, devicetree: Devicetree
) -> None:
    """256 KiB of coherent memory fit only a pool whose base is a multiple of 256 KiB."""
    given = {
        label: len(allocate(user(probe, devicetree.pool(label)), SLOT_SET, attempts=5))
        for label in ON_SLOTS
    }

    expected = {label: 4 if label == "base_256k" else 0 for label in ON_SLOTS}
    equal(given, expected, "allocations of 256 KiB by pool")


@pytest.mark.property("D5", control=True)
@pytest.mark.property("B11")
def test_the_largest_mapping_needs_no_aligned_pool(probe: Probe, devicetree: Devicetree) -> None:
    """Four mappings of 256 KiB fit a pool of 1 MiB whose base is any multiple of 4 KiB."""
    buffer = probe.buffer(SLOT_SET)

    for pool in map(devicetree.pool, ON_PAGES):
        device = user(probe, pool)
        counted(device.info().max_mapping_size, SLOT_SET, "bytes: dma_max_mapping_size()")
        mapped = fill(device, buffer, SLOT_SET, attempts=5)
        at_addresses(mapped.values(), places(pool, SLOT_SET, PAGE))
        counted(len(mapped), 4, "mappings")


@pytest.mark.property("B11")
@pytest.mark.finding("pool-off-a-page", kernels=">=6.9")
def test_the_largest_mapping_fits_into_a_pool_off_a_page(
    probe: Probe, devicetree: Devicetree
) -> None:
    """A mapping of dma_max_mapping_size() fits a pool whose base is in the middle of a page."""
    pool = devicetree.pool("base_2k")
    device, buffer = user(probe, pool), probe.buffer(SLOT_SET)

    device.map_single(buffer, Direction.TO_DEVICE, size=device.info().max_mapping_size)


@pytest.mark.property("B9")
@pytest.mark.finding("boundary-hides-base", kernels=">=5.15")
def test_an_aligned_mapping_is_aligned_within_a_boundary_too(
    probe: Probe, devicetree: Devicetree
) -> None:
    """A mapping keeps the min_align_mask bits when the segment boundary is smaller, too."""
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
    """Without the segment boundary a mapping of the same pool keeps these bits."""
    device, buffer = user(probe, devicetree.pool("base_4k")), probe.buffer(2 * PAGE)
    device.set_min_align_mask(2 * PAGE - 1)

    for offset in (0, PAGE):
        mapping = device.map_single(buffer, Direction.TO_DEVICE, offset=offset, size=PAGE)
        bits_kept(mapping.dma_addr, buffer.phys + offset, 2 * PAGE - 1, "a page")


@pytest.mark.property("E8")
@pytest.mark.needs(
    "04867a7a3332: before, the search did not look at the pool's address", since="6.9"
)
def test_nothing_fits_into_a_pool_off_a_slot(
    guest: Guest, probe: Probe, devicetree: Devicetree
) -> None:
    """No mapping fits a pool whose base is not a multiple of 2 KiB; the kernel reports it full."""
    buffer = probe.buffer(PAGE)

    for pool in map(devicetree.pool, OFF_SLOTS):
        device, mark = user(probe, pool), guest.console.mark
        counted(len(fill(device, buffer, 1, attempts=2)), 0, f"mappings in {pool}")
        counted(len(allocate(device, 1, attempts=2)), 0, f"allocations in {pool}")
        refused(device.map_single, buffer, Direction.TO_DEVICE)
        full = rf"{device.name}: swiotlb buffer is full .*, total 512 \(slots\), used 0 \(slots\)"
        printed(guest, full, since=mark)
        slots_used(PoolCounters(guest.agent, pool.name), 0)


@pytest.mark.property("E8", control=True)
def test_a_base_on_a_slot_makes_all_slots_usable(probe: Probe, devicetree: Devicetree) -> None:
    """All slots of the same pool, with a base 1 KiB higher, can be used again and again."""
    pool = devicetree.pool("base_2k")
    device, buffer = user(probe, pool), probe.buffer(PAGE)

    for _ in range(2):
        mapped = fill(device, buffer, 1, attempts=pool.size // SLOT + 1)
        counted(len(mapped), pool.size // SLOT, "mappings in the pool")
        unmap(device, mapped)
