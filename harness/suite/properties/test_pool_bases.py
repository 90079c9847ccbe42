# SPDX-License-Identifier: Apache-2.0
"""Properties B8, B9, B11, D5 and E8: pools whose bases have different alignments."""

import pytest

from harness.devices.probe import Device, Direction, Probe
from harness.kernel import SLOT
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
    allocate,
    fill,
    page_order_size,
    places,
    unmap,
)

pytestmark = pytest.mark.parametrize("shape", ["odd/pool-bases"])

ON_SLOTS = ("base_256k", "base_128k", "base_64k", "base_4k", "base_2k")
OFF_SLOTS = ("base_1k", "base_1")

UNIT = 4096
"""The smallest base but one that is a multiple of a slot: that of base_4k."""


def user(probe: Probe, pool: Pool) -> Device:
    """The only device of *pool*."""
    return probe.device(pool.users[0].lstrip("/"))


@pytest.mark.property("E6", "E17", "B8")
def test_every_slot_can_be_used_from_the_base_on(
    guest: Guest, probe: Probe, devicetree: Devicetree, slot_set: int
) -> None:
    """The first slot begins at the pool's base, at any multiple of 2 KiB."""
    buffer = probe.buffer(1)

    for pool in map(devicetree.pool, ON_SLOTS):
        mapped = fill(user(probe, pool), buffer, 1, attempts=pool.size // SLOT + 4)
        at_addresses(mapped.values(), places(pool, 1, slot_set))
        slots_used(PoolCounters(guest.agent, pool.name), pool.size // SLOT)


@pytest.mark.property("B8")
@pytest.mark.finding("6.1-page-of-the-pool", kernels=">=5.15,<6.3")
@pytest.mark.parametrize("pages", [1, 3])
def test_mappings_of_a_page_and_more_lie_on_pages(
    probe: Probe, devicetree: Devicetree, pages: int, page: int, slot_set: int
) -> None:
    """A mapping of a page or more is page aligned in memory, whatever the pool's base."""
    buffer, size = probe.buffer(slot_set), pages * page

    for pool in map(devicetree.pool, ON_SLOTS):
        mapped = fill(user(probe, pool), buffer, size, attempts=pool.size // size + 1)
        at_addresses(mapped.values(), places(pool, size, slot_set, page))


@pytest.mark.property("D3", "D5")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.2")
@pytest.mark.parametrize("part", [0, 4, 2], ids=["page", "quarter", "half"])
def test_coherent_memory_fits_where_its_natural_alignment_does(
    probe: Probe, devicetree: Devicetree, page: int, slot_set: int, part: int
) -> None:
    """Coherent memory gets every address that is aligned to its size and lies in one slot set."""
    size = slot_set // part if part else page
    for pool in map(devicetree.pool, ON_SLOTS):
        given = allocate(user(probe, pool), size, attempts=pool.size // size + 1)
        expected = places(pool, size, slot_set, page_order_size(size, page))
        at_addresses(given.values(), expected)


@pytest.mark.property("D5")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.2")
def test_the_largest_coherent_memory_needs_an_aligned_pool(
    probe: Probe, devicetree: Devicetree, slot_set: int
) -> None:
    """A slot set of coherent memory fits only a pool whose base is a multiple of its size."""
    pools = {label: devicetree.pool(label) for label in ON_SLOTS}
    given = {
        label: len(allocate(user(probe, pool), slot_set, attempts=pool.size // slot_set + 1))
        for label, pool in pools.items()
    }

    expected = {
        label: 0 if pool.base % slot_set else pool.size // slot_set for label, pool in pools.items()
    }
    equal(given, expected, "allocations of a slot set by pool")


@pytest.mark.property("D5", control=True)
@pytest.mark.property("B11")
def test_the_largest_mapping_needs_no_aligned_pool(
    probe: Probe, devicetree: Devicetree, page: int, slot_set: int
) -> None:
    """All slot sets of a pool hold the largest mapping if its base is a multiple of a page."""
    buffer = probe.buffer(slot_set)

    for pool in map(devicetree.pool, ON_SLOTS):
        if pool.base % page:
            continue
        device = user(probe, pool)
        counted(device.info().max_mapping_size, slot_set, "bytes: dma_max_mapping_size()")
        mapped = fill(device, buffer, slot_set, attempts=pool.size // slot_set + 1)
        at_addresses(mapped.values(), places(pool, slot_set, slot_set, page))
        counted(len(mapped), pool.size // slot_set, "mappings")


@pytest.mark.property("B11")
@pytest.mark.finding("pool-off-a-page", kernels=">=6.9")
@pytest.mark.parametrize(
    "label",
    [
        "base_2k",
        pytest.param(
            "base_4k",
            marks=pytest.mark.needs("it is on a page of 4 KiB", config="ARM64_4K_PAGES=n"),
        ),
    ],
)
def test_the_largest_mapping_fits_into_a_pool_off_a_page(
    probe: Probe, devicetree: Devicetree, slot_set: int, label: str
) -> None:
    """A mapping of dma_max_mapping_size() fits a pool whose base is in the middle of a page."""
    pool = devicetree.pool(label)
    device, buffer = user(probe, pool), probe.buffer(slot_set)

    device.map_single(buffer, Direction.TO_DEVICE, size=device.info().max_mapping_size)


@pytest.mark.property("B9")
@pytest.mark.finding("boundary-hides-base", kernels=">=5.15")
def test_an_aligned_mapping_is_aligned_within_a_boundary_too(
    probe: Probe, devicetree: Devicetree
) -> None:
    """A mapping keeps the min_align_mask bits when the segment boundary is smaller, too."""
    device, buffer = user(probe, devicetree.pool("base_4k")), probe.buffer(2 * UNIT)
    device.set_min_align_mask(2 * UNIT - 1)
    device.set_seg_boundary(UNIT - 1)

    for offset in (0, UNIT):
        mapping = device.map_single(buffer, Direction.TO_DEVICE, offset=offset, size=UNIT)
        bits_kept(mapping.dma_addr, buffer.phys + offset, 2 * UNIT - 1, "4 KiB")


@pytest.mark.property("B9", control=True)
def test_an_aligned_mapping_is_aligned_without_a_boundary(
    probe: Probe, devicetree: Devicetree
) -> None:
    """Without the segment boundary a mapping of the same pool keeps these bits."""
    device, buffer = user(probe, devicetree.pool("base_4k")), probe.buffer(2 * UNIT)
    device.set_min_align_mask(2 * UNIT - 1)

    for offset in (0, UNIT):
        mapping = device.map_single(buffer, Direction.TO_DEVICE, offset=offset, size=UNIT)
        bits_kept(mapping.dma_addr, buffer.phys + offset, 2 * UNIT - 1, "4 KiB")


@pytest.mark.property("E8")
@pytest.mark.needs(
    "04867a7a3332: before, the search did not look at the pool's address", since="6.9"
)
def test_nothing_fits_into_a_pool_off_a_slot(
    guest: Guest, probe: Probe, devicetree: Devicetree, page: int
) -> None:
    """No mapping fits a pool whose base is not a multiple of 2 KiB; the kernel reports it full."""
    buffer = probe.buffer(page)

    for pool in map(devicetree.pool, OFF_SLOTS):
        device, mark = user(probe, pool), guest.console.mark
        counted(len(fill(device, buffer, 1, attempts=2)), 0, f"mappings in {pool}")
        counted(len(allocate(device, 1, attempts=2)), 0, f"allocations in {pool}")
        refused(device.map_single, buffer, Direction.TO_DEVICE)
        full = rf"{device.name}: swiotlb buffer is full .*, total 512 \(slots\), used 0 \(slots\)"
        printed(guest, full, since=mark)
        slots_used(PoolCounters(guest.agent, pool.name), 0)


@pytest.mark.property("E8", control=True)
def test_a_base_on_a_slot_makes_all_slots_usable(
    probe: Probe, devicetree: Devicetree, page: int
) -> None:
    """All slots of the same pool, with a base 1 KiB higher, can be used again and again."""
    pool = devicetree.pool("base_2k")
    device, buffer = user(probe, pool), probe.buffer(page)

    for _ in range(2):
        mapped = fill(device, buffer, 1, attempts=pool.size // SLOT + 1)
        counted(len(mapped), pool.size // SLOT, "mappings in the pool")
        unmap(device, mapped)
