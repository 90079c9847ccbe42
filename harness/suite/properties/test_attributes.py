# SPDX-License-Identifier: Apache-2.0
"""Properties B1, B3, B5, B18 and B20: dma_map_phys(), and the attributes that came with it."""

from collections.abc import Callable

import pytest

from harness.devices.probe import DIRECTIONS, Attr, Buffer, Device, Direction, Probe, Slice
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.shape import NO_POOL
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import COHERENT, PLATFORM
from harness.suite.lib.expect import (
    at_addresses,
    holds,
    in_pool,
    not_bounced,
    refused,
    same_bytes,
    slots_used,
    unchanged,
)
from harness.suite.lib.written import CPU, DEVICE

UART = 0x900_0000
"""Registers of the virt machine's PL011 (hw/arm/virt.c, QEMU 7.2); no memory."""

REGISTERS = 0x1000
"""Their size in bytes."""

BEHIND = 4096
"""Bytes behind a mapping that nothing may have changed."""


KINDS = pytest.mark.parametrize("driver", [PLATFORM, COHERENT])

BY_PHYS = pytest.mark.needs("dma_map_phys() is called", change="map-phys")
COHERENCE = pytest.mark.needs("older kernels ignore the attribute", change="require-coherent")
SHARED = pytest.mark.needs("older kernels ignore the attribute", change="shared-pools")


@pytest.fixture
def buffer(probe: Probe, slot_set: int) -> Buffer:
    """Two slot sets."""
    return probe.buffer(2 * slot_set)


def places(page: int, slot_set: int) -> tuple[tuple[int, int], ...]:
    """Offset and size in bytes: within a slot, across slots and pages, and the largest."""
    across = (SLOT - 1, 2), (page - 1, page + 2)
    return ((0, 1), (100, 77), *across, (0, 10_000), (0, slot_set))


def ways(device: Device, buffer: Buffer, attrs: Attr) -> dict[str, Callable[[], object]]:
    """Every call that maps two slots of *buffer* with these attributes."""
    to, size = Direction.TO_DEVICE, 2 * SLOT
    parts = [Slice(buffer, 0, size), Slice(buffer, size, size)]
    return {
        "single": lambda: device.map_single(buffer, to, size=size, attrs=attrs),
        "page": lambda: device.map_page(buffer, to, size=size, attrs=attrs),
        "phys": lambda: device.map_phys(buffer, to, size=size, attrs=attrs),
        "sg": lambda: device.map_sg(parts, to, attrs),
    }


@pytest.mark.property("B1", "B3", "B5")
@BY_PHYS
@KINDS
def test_a_mapping_by_physical_address_is_bounced(
    device: Device, buffer: Buffer, pool: Pool, counters: PoolCounters, page: int, slot_set: int
) -> None:
    """dma_map_phys() returns addresses in the pool, and copies in and back as dma_map_single()."""
    for offset, size in places(page, slot_set):
        for direction in DIRECTIONS:
            buffer.fill(CPU)
            with device.map_phys(buffer, direction, offset=offset, size=size) as mapping:
                in_pool(mapping, pool)
                same_bytes(mapping.device_side, 0, CPU.content(offset, size))
                mapping.device_side.fill(DEVICE)
            if direction is Direction.TO_DEVICE:
                unchanged(buffer, CPU)
            else:
                same_bytes(buffer, offset, DEVICE.content(0, size))
                holds(buffer, CPU, offset + size, BEHIND)
    slots_used(counters, 0)


@pytest.mark.property("B1", control=True)
@BY_PHYS
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_a_mapping_by_physical_address_is_the_buffer(
    device: Device, buffer: Buffer
) -> None:
    """dma_map_phys() returns the address that it is given, for an unrestricted device."""
    with device.map_phys(buffer, Direction.TO_DEVICE, offset=100, size=2 * SLOT) as mapping:
        not_bounced(mapping, buffer, 100)


@pytest.mark.property("B18")
@BY_PHYS
@KINDS
def test_mappings_of_mmio_are_refused(
    device: Device, buffer: Buffer, counters: PoolCounters
) -> None:
    """A restricted device gets no mapping with DMA_ATTR_MMIO, by any function, and no slot."""
    for map_it in ways(device, buffer, Attr.MMIO).values():
        refused(map_it)
    slots_used(counters, 0)


@pytest.mark.property("B18", control=True)
@BY_PHYS
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_mappings_of_mmio_are_the_address_itself(
    device: Device, buffer: Buffer
) -> None:
    """An unrestricted device gets the address that dma_map_phys() is given with MMIO."""
    mapping = device.map_phys(buffer, Direction.TO_DEVICE, size=2 * SLOT, attrs=Attr.MMIO)

    not_bounced(mapping, buffer)
    mapping.unmap(Attr.MMIO)


@pytest.mark.property("B18", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_dma_map_resource_returns_the_address(device: Device) -> None:
    """dma_map_resource() returns the address that it is given, for an unrestricted device."""
    at_addresses([device.map_resource(UART, REGISTERS, Direction.BIDIRECTIONAL)], [UART])


@pytest.mark.property("B20")
@COHERENCE
@KINDS
def test_what_must_be_coherent_is_refused(
    device: Device, buffer: Buffer, pool: Pool, counters: PoolCounters
) -> None:
    """A mapping with DMA_ATTR_REQUIRE_COHERENT fails for a device that bounces; no slot is kept."""
    for map_it in ways(device, buffer, Attr.REQUIRE_COHERENT).values():
        refused(map_it)
    slots_used(counters, 0)

    with device.map_single(buffer, Direction.TO_DEVICE, size=2 * SLOT) as mapping:
        in_pool(mapping, pool)


@pytest.mark.property("B20", control=True)
@COHERENCE
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.parametrize("driver", [COHERENT])
def test_without_a_pool_a_coherent_device_gets_it(device: Device, buffer: Buffer) -> None:
    """An unrestricted, dma-coherent device maps with DMA_ATTR_REQUIRE_COHERENT."""
    attrs = Attr.REQUIRE_COHERENT
    mapping = device.map_single(buffer, Direction.TO_DEVICE, size=2 * SLOT, attrs=attrs)

    not_bounced(mapping, buffer)
    mapping.unmap(attrs)


@pytest.mark.property("B1", "B3")
@SHARED
@KINDS
def test_a_mapping_of_shared_memory_is_bounced_too(
    device: Device, buffer: Buffer, pool: Pool, counters: PoolCounters
) -> None:
    """DMA_ATTR_CC_SHARED takes no mapping out of the pool of a machine without such memory."""
    buffer.fill(CPU)
    attrs = Attr.CC_SHARED
    mapping = device.map_phys(buffer, Direction.TO_DEVICE, size=2 * SLOT, attrs=attrs)

    in_pool(mapping, pool)
    same_bytes(mapping.device_side, 0, CPU.content(0, 2 * SLOT))
    mapping.unmap(attrs)
    slots_used(counters, 0)


@pytest.mark.property("B1", control=True)
@SHARED
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_a_mapping_of_shared_memory_is_the_buffer(
    device: Device, buffer: Buffer
) -> None:
    """An unrestricted device gets the buffer's own address with DMA_ATTR_CC_SHARED."""
    attrs = Attr.CC_SHARED
    mapping = device.map_phys(buffer, Direction.TO_DEVICE, size=2 * SLOT, attrs=attrs)

    not_bounced(mapping, buffer)
    mapping.unmap(attrs)


@pytest.mark.property("D4")
@SHARED
@KINDS
def test_shared_memory_cannot_be_allocated(device: Device, counters: PoolCounters) -> None:
    """dma_alloc_attrs() with DMA_ATTR_CC_SHARED returns NULL, and takes no slot."""
    refused(device.alloc_coherent, 2 * SLOT, attrs=Attr.CC_SHARED)

    slots_used(counters, 0)
