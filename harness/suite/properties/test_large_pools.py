# SPDX-License-Identifier: Apache-2.0
"""Properties E14 and E6: pools of hundreds of MiB, up to the largest that the kernel can set up."""

from collections.abc import Mapping

import pytest

from harness.devices.probe import Device, Direction, Probe
from harness.kernel import SLOT
from harness.machine.devicetree import Placement, Pool
from harness.machine.layout import RAM_BASE
from harness.machine.qemu.guest import Guest
from harness.plugin.counters import PoolCounters
from harness.suite.lib.attached import FAILED
from harness.suite.lib.expect import (
    at_addresses,
    counted,
    equal,
    logged,
    outside,
    slots_used,
)
from harness.suite.lib.filling import allocate, fill, places, unmap

MIB = 1 << 20
RAM = 1024 * MIB

ALIGNMENT = 2 * MIB
"""Of a pool's base: a multiple of a slot set."""

MOST_SLOTS = 4 * MIB // 24
"""The number of ``struct io_tlb_slot`` in 4 MiB, the most that kcalloc() allocates
(kernel/dma/swiotlb.c:rmem_swiotlb_device_init, 6.12; include/linux/slab.h, KMALLOC_MAX_SIZE: with
larger pages a larger pool than this RAM)."""

LIMITED = pytest.mark.needs("kcalloc() allocates more with larger pages", config="ARM64_4K_PAGES=y")

LARGEST_POOL = MOST_SLOTS * SLOT
LIMITLESS = (1 << 64) - 1
"""``SIZE_MAX``: dma_max_mapping_size() of an unrestricted device."""

ZEROED = pytest.mark.nightly("the kernel zeroes hundreds of MiB: seconds for each boot")

pytestmark = pytest.mark.parametrize("ram_size", [RAM])


def at_the_end(size: int) -> Mapping[str, Placement]:
    """A pool of *size* bytes, as near to the end of RAM as a multiple of 2 MiB allows."""
    return {"pool": Placement(base=(RAM_BASE + RAM - size) // ALIGNMENT * ALIGNMENT, size=size)}


@ZEROED
@pytest.mark.property("E6", "E14", "E17")
@pytest.mark.needs("the largest is odd: docs/findings.md, odd-size-free-list", config="KASAN=n")
@pytest.mark.parametrize(
    "placements",
    [at_the_end(200 * MIB), pytest.param(at_the_end(LARGEST_POOL), marks=LIMITED)],
    ids=["200M", "341M"],
)
def test_a_large_pool_can_be_used_to_its_end(
    device: Device, probe: Probe, pool: Pool, counters: PoolCounters, page: int, slot_set: int
) -> None:
    """The largest mappings and then single slots fill the pool exactly, again after unmap."""
    buffer = probe.buffer(slot_set)
    tail = pool.size % slot_set // SLOT

    for _ in range(2):
        sets = fill(device, buffer, slot_set, attempts=pool.size // slot_set + 1)
        rest = fill(device, buffer, 1, attempts=tail + 1)
        given = sorted(one.dma_addr for one in (*sets.values(), *rest.values()))
        tail_base = pool.base + len(sets) * slot_set
        in_tail = range(tail_base, tail_base + tail * SLOT, SLOT)
        equal(given, [*places(pool, slot_set, slot_set, page), *in_tail], "addresses")
        counted(counters.nslabs, pool.size // SLOT, "slots (io_tlb_nslabs)")
        slots_used(counters, pool.size // SLOT)
        unmap(device, [*sets, *rest])
        slots_used(counters, 0)


@ZEROED
@pytest.mark.property("D3", "D5")
@pytest.mark.parametrize("placements", [at_the_end(200 * MIB)], ids=["200M"])
def test_a_large_pool_holds_as_much_coherent_memory(
    device: Device, pool: Pool, counters: PoolCounters, slot_set: int
) -> None:
    """Coherent allocations of a slot set fill a large pool."""
    given = allocate(device, slot_set, attempts=pool.size // slot_set + 1)

    at_addresses(given.values(), places(pool, slot_set, slot_set, slot_set))
    slots_used(counters, pool.size // SLOT)


@pytest.mark.property("A12", "E14")
@LIMITED
@pytest.mark.parametrize("placements", [at_the_end(LARGEST_POOL + 2 * SLOT)], ids=["341M-and-4K"])
def test_a_larger_pool_is_not_set_up(
    guest: Guest, device: Device, probe: Probe, pool: Pool, page: int
) -> None:
    """The kernel warns of a pool of one page more, names the device, and leaves it unrestricted."""
    logged(guest, f"{device.name}: {FAILED}")

    mapping = device.map_single(probe.buffer(page), Direction.TO_DEVICE)

    outside(mapping, pool)
    counted(device.info().max_mapping_size, LIMITLESS, "bytes: dma_max_mapping_size()")
