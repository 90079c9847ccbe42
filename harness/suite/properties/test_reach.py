# SPDX-License-Identifier: Apache-2.0
"""Properties B15, B16 and B18: devices with dma-ranges, and pools out of their reach."""

import pytest

from harness.base.address_range import AddressRange
from harness.devices.probe import (
    Buffer,
    Device,
    Direction,
    Mapped,
    Probe,
    Slice,
)
from harness.machine.devicetree import Pool
from harness.observe.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import (
    at_addresses,
    bits_kept,
    holds,
    in_pool,
    mapped,
    refused,
    same_bytes,
    slots_used,
    unchanged,
    within,
    within_boundary,
)
from harness.suite.lib.written import CPU, DEVICE

KIB = 1024
SIZE = 10_000

HIGH, SHORT, HALF, PLAIN = "bus-high:probe", "bus-short:probe", "bus-half:probe", "probe-a"
"""Devices of dts/pool-dma-ranges.dtso."""

SHIFT = 0x1_0000_1000 - 0x4000_0000
"""The offset of RAM's bus address on bus-high to its physical address."""

HALF_END = 0x4F80_0000
"""The end of the dma-ranges of bus-half, in the middle of the pool."""

MASK_32 = (1 << 32) - 1

UART = 0x0900_0000
"""Registers of the PL011 (QEMU, hw/arm/virt.c, base_memmap[VIRT_UART])."""


pytestmark = pytest.mark.parametrize("shape", ["pool-dma-ranges"])


@pytest.fixture
def buffer(probe: Probe, slot_set: int) -> Buffer:
    """Two slot sets, with the CPU's bytes at the beginning."""
    buffer = probe.buffer(2 * slot_set)
    buffer.fill(CPU, length=4 * SIZE)
    return buffer


@pytest.mark.property("B16")
@pytest.mark.parametrize("driver", [HIGH])
def test_a_mapping_is_the_pool_as_the_device_sees_it(
    device: Device, buffer: Buffer, pool: Pool, memory: LiveMemory
) -> None:
    """dma_map_single, _page and _sg return the bus address of memory in the pool."""
    mappings = [
        device.map_single(buffer, Direction.TO_DEVICE, size=SIZE).dma_addr,
        device.map_page(buffer, Direction.TO_DEVICE, size=SIZE).dma_addr,
        device.map_sg([Slice(buffer, 0, SIZE)], Direction.TO_DEVICE).segments[0].dma_addr,
    ]

    within([AddressRange(dma_addr - SHIFT, SIZE) for dma_addr in mappings], pool, "mappings")
    for dma_addr in mappings:
        same_bytes(memory, dma_addr - SHIFT, CPU.content(0, SIZE))


@pytest.mark.property("B16")
@pytest.mark.parametrize("driver", [HIGH])
def test_syncs_and_unmap_follow_the_translation(
    device: Device, buffer: Buffer, pool: Pool, memory: LiveMemory
) -> None:
    """sync and unmap copy exactly what the device wrote at the mapping's bus address."""
    mapping = device.map_single(buffer, Direction.FROM_DEVICE, size=SIZE)
    within([AddressRange(mapping.dma_addr - SHIFT, SIZE)], pool, "a mapping")
    memory.write(mapping.dma_addr - SHIFT, DEVICE.content(0, SIZE))

    mapping.sync_for_cpu(3000, 100)
    same_bytes(buffer, 0, CPU.content(0, 3000))
    holds(buffer, DEVICE, 3000, 100)

    mapping.unmap()
    holds(buffer, DEVICE, 0, SIZE)
    unchanged(buffer, CPU, SIZE, SIZE)


@pytest.mark.property("B8", "B9", "B10", "B16")
@pytest.mark.parametrize("driver", [HIGH])
def test_alignment_and_boundary_hold_for_the_address_that_the_device_sees(
    device: Device, buffer: Buffer
) -> None:
    """Bus addresses keep min_align_mask bits and segment boundary, with an offset of a page too."""
    parts = [Slice(buffer, offset, size) for offset in (0, 100, 4095) for size in (1, SIZE, 60_000)]
    for mask in (0xFFF, 0xFFFF):
        device.set_min_align_mask(mask)
        for part, outcome in zip(parts, device.try_each(parts), strict=True):
            dma_addr = mapped(outcome, part.length)
            bits_kept(dma_addr, buffer.phys + part.offset, mask, f"{part.length} bytes")

    device.set_min_align_mask(0)
    device.set_seg_boundary(64 * KIB - 1)
    whole = [Slice(buffer, 0, size) for size in range(2 * KIB, 65 * KIB, 2 * KIB)]
    for part, outcome in zip(whole, device.try_each(whole), strict=True):
        within_boundary(mapped(outcome, part.length), part.length, 64 * KIB)


@pytest.mark.property("B15", "B16", control=True)
@pytest.mark.parametrize("driver", [PLAIN])
def test_another_device_sees_the_same_pool_where_it_is(
    device: Device, buffer: Buffer, pool: Pool
) -> None:
    """On a bus without dma-ranges the same mapping has the pool's physical address."""
    with device.map_single(buffer, Direction.TO_DEVICE, size=SIZE) as mapping:
        in_pool(mapping, pool)


@pytest.mark.property("B15")
@pytest.mark.expects_report("swiotlb_map")
@pytest.mark.parametrize("driver", [HIGH])
def test_a_pool_above_the_dma_mask_is_refused(
    device: Device, buffer: Buffer, counters: PoolCounters
) -> None:
    """A mapping for a 32-bit device whose pool is above 4 GiB fails, and keeps no slot in use."""
    device.set_dma_mask(MASK_32)

    for _ in range(3):
        refused(device.map_single, buffer, Direction.TO_DEVICE, size=SIZE)
        refused(device.map_sg, [Slice(buffer, 0, SIZE)] * 2, Direction.TO_DEVICE)

    slots_used(counters, 0)
    device.set_dma_mask((1 << 64) - 1)
    device.map_single(buffer, Direction.TO_DEVICE, size=SIZE).unmap()


@pytest.mark.property("B15")
@pytest.mark.expects_report("swiotlb_map")
@pytest.mark.parametrize("driver", [SHORT])
def test_a_pool_outside_the_bus_window_is_refused(
    device: Device, buffer: Buffer, counters: PoolCounters
) -> None:
    """A mapping for a device whose dma-ranges end before its pool fails, and keeps no slot in use.

    Since 6.9 the kernel reports a full pool: its base has no bus address, so that no slot is
    aligned. Earlier kernels warn of an address that the device cannot reach.
    """
    for direction in Direction.TO_DEVICE, Direction.FROM_DEVICE:
        refused(device.map_single, buffer, direction, size=SIZE)

    slots_used(counters, 0)


@pytest.mark.property("B15")
@pytest.mark.expects_report("swiotlb_map")
@pytest.mark.parametrize("driver", [HALF])
def test_of_a_pool_in_part_out_of_reach_only_the_reachable_part_is_given(
    device: Device, buffer: Buffer, pool: Pool, counters: PoolCounters, slot_set: int
) -> None:
    """A device that reaches half of its pool never gets an address in the other half."""
    tried = device.try_each([Slice(buffer, 0, slot_set)] * (2 * pool.size // slot_set))
    given = [one.dma_addr for one in tried if isinstance(one, Mapped)]

    reachable = AddressRange(pool.base, HALF_END - pool.base)
    within([AddressRange(dma_addr, slot_set) for dma_addr in given], reachable, "mappings")
    slots_used(counters, 0)


@pytest.mark.property("B18")
@pytest.mark.escape("G3")
@pytest.mark.needs("since, it is refused", before="map-phys")
@pytest.mark.parametrize("driver", [PLAIN])
def test_dma_map_resource_is_not_bounced(device: Device, counters: PoolCounters) -> None:
    """dma_map_resource() returns the address that it is given, for a restricted device too."""
    mapping = device.map_resource(UART, 4 * KIB, Direction.BIDIRECTIONAL)

    at_addresses([mapping], [UART])
    slots_used(counters, 0)


@pytest.mark.property("B18")
@pytest.mark.needs("before, it returned the address", change="map-phys")
@pytest.mark.parametrize("driver", [PLAIN])
def test_dma_map_resource_is_refused(device: Device, counters: PoolCounters) -> None:
    """dma_map_resource() fails for a device that must bounce, and uses no slot."""
    refused(device.map_resource, UART, 4 * KIB, Direction.BIDIRECTIONAL)

    slots_used(counters, 0)


@pytest.mark.property("B18", control=True)
@pytest.mark.parametrize("driver", [PLAIN])
def test_dma_map_page_of_the_same_device_is_bounced(
    device: Device, buffer: Buffer, pool: Pool, counters: PoolCounters
) -> None:
    """dma_map_page() for the same device bounces, and uses slots."""
    with device.map_page(buffer, Direction.BIDIRECTIONAL, size=4 * KIB) as mapping:
        in_pool(mapping, pool)
        slots_used(counters, 2)
