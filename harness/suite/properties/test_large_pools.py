# SPDX-License-Identifier: Apache-2.0
"""Properties E14 and E6: pools of hundreds of MiB, up to the largest that the kernel can set up."""

from collections.abc import Mapping

import pytest

from harness.devices.probe import Device, Direction, Probe
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
from harness.suite.lib.filling import PAGE, SLOT, SLOT_SET, allocate, fill, places, unmap

MIB = 1 << 20
RAM = 1024 * MIB

MOST_SLOTS = 4 * MIB // 24
"""The number of ``struct io_tlb_slot`` in 4 MiB, the most that kcalloc() allocates
(kernel/dma/swiotlb.c:rmem_swiotlb_device_init, 6.12; arm64 with pages of 4 KiB)."""

LARGEST_POOL = MOST_SLOTS * SLOT
LIMITLESS = (1 << 64) - 1
"""``SIZE_MAX``: dma_max_mapping_size() of an unrestricted device."""

ZEROED = pytest.mark.nightly("the kernel zeroes hundreds of MiB: seconds for each boot")

pytestmark = pytest.mark.parametrize("ram_size", [RAM])


def at_the_end(size: int) -> Mapping[str, Placement]:
    """A pool of *size* bytes, as near to the end of RAM as a multiple of 256 KiB allows."""
    return {"pool": Placement(base=(RAM_BASE + RAM - size) // SLOT_SET * SLOT_SET, size=size)}


@ZEROED
@pytest.mark.property("E6", "E14", "E17")
@pytest.mark.needs("the largest is odd: docs/findings.md, odd-size-free-list", config="KASAN=n")
@pytest.mark.parametrize(
    "placements", [at_the_end(200 * MIB), at_the_end(LARGEST_POOL)], ids=["200M", "341M"]
)
def test_a_large_pool_can_be_used_to_its_end(
    device: Device, probe: Probe, pool: Pool, counters: PoolCounters
) -> None:
    """The largest mappings and then single slots fill the pool exactly, again after unmap."""
    buffer = probe.buffer(SLOT_SET)
    tail = pool.size % SLOT_SET // SLOT

    for _ in range(2):
        sets = fill(device, buffer, SLOT_SET, attempts=pool.size // SLOT_SET + 1)
        rest = fill(device, buffer, 1, attempts=tail + 1)
        given = sorted(one.dma_addr for one in (*sets.values(), *rest.values()))
        tail_base = pool.base + len(sets) * SLOT_SET
        in_tail = range(tail_base, tail_base + tail * SLOT, SLOT)
        equal(given, [*places(pool, SLOT_SET, PAGE), *in_tail], "addresses")
        counted(counters.nslabs, pool.size // SLOT, "slots (io_tlb_nslabs)")
        slots_used(counters, pool.size // SLOT)
        unmap(device, [*sets, *rest])
        slots_used(counters, 0)


@ZEROED
@pytest.mark.property("D3", "D5")
@pytest.mark.parametrize("placements", [at_the_end(200 * MIB)], ids=["200M"])
def test_a_large_pool_holds_as_much_coherent_memory(
    device: Device, pool: Pool, counters: PoolCounters
) -> None:
    """Coherent allocations of 256 KiB fill a large pool."""
    given = allocate(device, SLOT_SET, attempts=pool.size // SLOT_SET + 1)

    at_addresses(given.values(), places(pool, SLOT_SET, SLOT_SET))
    slots_used(counters, pool.size // SLOT)


@pytest.mark.property("A12", "E14")
@pytest.mark.parametrize("placements", [at_the_end(LARGEST_POOL + 2 * SLOT)], ids=["341M-and-4K"])
def test_a_larger_pool_is_not_set_up(
    guest: Guest, device: Device, probe: Probe, pool: Pool
) -> None:
    """The kernel warns of a pool of one page more, names the device, and leaves it unrestricted."""
    logged(guest, f"{device.name}: {FAILED}")

    mapping = device.map_single(probe.buffer(PAGE), Direction.TO_DEVICE)

    outside(mapping, pool)
    counted(device.info().max_mapping_size, LIMITLESS, "bytes: dma_max_mapping_size()")
