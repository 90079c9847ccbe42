# SPDX-License-Identifier: Apache-2.0
"""Properties B1 to B5: streaming mappings are in the pool; what map and unmap copy."""

import pytest

from harness.devices.probe import DIRECTIONS, WRITING, Attr, Byte, Device, Direction, Probe, Slice
from harness.machine.devicetree import Placement, Pool
from harness.machine.shape import NO_POOL
from harness.observe.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import DRIVERS
from harness.suite.lib.expect import (
    apart,
    at_addresses,
    equal,
    holds,
    in_pool,
    not_bounced,
    refused,
    same_bytes,
    slots_used,
    unchanged,
)
from harness.suite.lib.written import CPU, DEVICE, STALE

SIZE = 4096
"""Bytes of a buffer."""
SIZES = (1, 64, 2047, 2048, 2049, 4096, 10_000)
"""Sizes in bytes: within a slot, at slot boundaries, of several slots."""

HINTS = (Attr.WEAK_ORDERING, Attr.WRITE_COMBINE, Attr.NO_WARN, Attr.PRIVILEGED)
"""Attributes that say how memory is accessed, or what is logged."""

ESCAPED = "dma_map_{}() gave the device an address outside its pool."
NOT_COPIED_IN = "dma_map_single() did not copy the CPU's buffer into the pool."
STALE_LEAK = "dma_unmap_single() copied stale bytes that the device did not write."
COPIED_BACK = "dma_unmap_single() copied a TO_DEVICE mapping back to the CPU's buffer."
LOST = "dma_unmap_single() did not copy what the device wrote to the CPU's buffer."
BESIDE = "dma_unmap_single() wrote outside the mapping."


@pytest.mark.property("B1")
@pytest.mark.parametrize("driver", DRIVERS)
def test_every_mapping_lies_in_the_pool(
    device: Device, probe: Probe, pool: Pool, slot_set: int
) -> None:
    """dma_map_single, _page and _sg return only addresses whose whole range is in the pool."""
    buffer = probe.buffer(slot_set)

    for size in (*SIZES, slot_set):
        for direction in DIRECTIONS:
            with device.map_single(buffer, direction, size=size) as single:
                in_pool(single, pool, summary=ESCAPED.format("single"))
            with device.map_page(buffer, direction, size=size) as page:
                in_pool(page, pool, summary=ESCAPED.format("page"))
            with device.map_sg([Slice(buffer, 0, size)], direction) as scattered:
                in_pool(scattered, pool, summary=ESCAPED.format("sgtable"))


@pytest.mark.property("B1", control=True)
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_a_mapping_is_the_buffer_itself(device: Device, probe: Probe) -> None:
    """An unrestricted device gets the buffer's own address."""
    buffer = probe.buffer(SIZE)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        not_bounced(mapping, buffer)


@pytest.mark.property("B2")
@pytest.mark.parametrize("driver", DRIVERS)
def test_each_entry_of_a_scatterlist_is_bounced_by_itself(
    device: Device, probe: Probe, pool: Pool
) -> None:
    """dma_map_sg gives each entry its own slots in the pool, of the entry's length."""
    parts = [Slice(probe.buffer(size), 0, size) for size in SIZES]

    with device.map_sg(parts, Direction.TO_DEVICE) as mapping:
        lengths = [segment.length for segment in mapping.segments]
        equal(lengths, [part.size for part in parts], "lengths of the segments")
        in_pool(mapping, pool)
        apart(mapping.segments)


@pytest.mark.property("B2")
@pytest.mark.parametrize("placements", [{"pool": Placement(size=256 * 1024)}], ids=["256 KiB"])
def test_a_scatterlist_that_does_not_fit_leaves_nothing_mapped(
    device: Device, probe: Probe, counters: PoolCounters
) -> None:
    """When an entry does not fit, map unmaps the earlier entries, and CPU memory is unchanged."""
    parts = [Slice(probe.buffer(100 * 1024)) for _ in range(3)]
    for part in parts:
        part.buffer.fill(CPU)

    refused(device.map_sg, parts, Direction.BIDIRECTIONAL, Attr.NO_WARN)

    slots_used(counters, 0)
    for part in parts:
        unchanged(part.buffer, CPU, summary="A failed dma_map_sg() changed the CPU's buffer.")
    device.map_sg(parts[:2], Direction.BIDIRECTIONAL).unmap()


@pytest.mark.property("B2", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_a_scatterlist_is_mapped_in_place(device: Device, probe: Probe) -> None:
    """An unrestricted device gets the entries' own addresses."""
    buffers = [probe.buffer(SIZE) for _ in range(3)]

    with device.map_sg([Slice(buffer) for buffer in buffers], Direction.TO_DEVICE) as mapping:
        at_addresses(mapping.segments, [buffer.phys for buffer in buffers])


@pytest.mark.property("B3")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda direction: direction.name)
def test_a_new_mapping_shows_the_device_the_buffer(
    device: Device, probe: Probe, memory: LiveMemory, direction: Direction, slot_set: int
) -> None:
    """map copies the CPU's buffer to the pool in every direction, FROM_DEVICE too."""
    for size in (*SIZES, slot_set):
        buffer = probe.buffer(size, content=CPU)

        with device.map_single(buffer, direction) as mapping:
            same_bytes(memory, mapping.dma_addr, CPU.content(0, size), summary=NOT_COPIED_IN)
        buffer.free()


@pytest.mark.property("B3")
def test_a_mapping_is_a_copy_from_the_moment_it_was_made(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """CPU writes after map do not reach the device without a sync."""
    buffer = probe.buffer(SIZE, content=CPU)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        buffer.fill(STALE)
        same_bytes(
            memory,
            mapping.dma_addr,
            CPU.content(0, SIZE),
            summary="The device sees a CPU write to the buffer without a sync.",
        )


@pytest.mark.property("B3", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_the_device_sees_what_the_cpu_writes_later(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """An unrestricted device reads the buffer itself."""
    buffer = probe.buffer(SIZE, content=CPU)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        buffer.fill(STALE)
        same_bytes(memory, mapping.dma_addr, STALE.content(0, SIZE))


@pytest.mark.property("B4")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_short_device_write_leaks_no_stale_bytes(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """When a device writes less than the mapping, unmap does not change the rest of the buffer."""
    old, buffer = probe.buffer(SIZE), probe.buffer(SIZE)
    old.fill(STALE)
    buffer.fill(CPU)
    device.map_single(old, Direction.TO_DEVICE).unmap()

    mapping = device.map_single(buffer, Direction.FROM_DEVICE)
    memory.write(mapping.dma_addr, DEVICE.content(0, 100))
    mapping.unmap()

    holds(buffer, DEVICE, 0, 100, summary="dma_unmap_single() lost what the device wrote.")
    unchanged(buffer, CPU, 100, summary=STALE_LEAK)


@pytest.mark.property("B4", control=True)
def test_a_pool_does_keep_the_bytes_of_earlier_mappings(
    device: Device, probe: Probe, pool: Pool, memory: LiveMemory
) -> None:
    """The bytes of an unmapped mapping stay in the pool, so they could leak."""
    old = probe.buffer(SIZE, content=STALE)

    device.map_single(old, Direction.TO_DEVICE).unmap()

    found = STALE.content(0, SIZE) in memory.read(pool.base, pool.size)
    equal(found, True, "the bytes of the earlier mapping are in the pool")


@pytest.mark.property("B5")
@pytest.mark.parametrize("driver", DRIVERS)
def test_unmap_of_a_to_device_mapping_copies_nothing_back(
    device: Device, probe: Probe, memory: LiveMemory, slot_set: int
) -> None:
    """unmap does not copy a TO_DEVICE mapping back to the CPU's buffer."""
    for size in (*SIZES, slot_set):
        buffer = probe.buffer(size, content=CPU)

        mapping = device.map_single(buffer, Direction.TO_DEVICE)
        memory.write(mapping.dma_addr, DEVICE.content(0, size))
        mapping.unmap()

        unchanged(buffer, CPU, summary=COPIED_BACK)
        buffer.free()


@pytest.mark.property("B5")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("direction", WRITING, ids=lambda direction: direction.name)
def test_unmap_copies_what_the_device_wrote(
    device: Device, probe: Probe, memory: LiveMemory, direction: Direction
) -> None:
    """unmap of FROM_DEVICE and BIDIRECTIONAL copies exactly the mapping back."""
    buffer = probe.buffer(4 * SIZE)
    for offset, size in ((0, SIZE), (100, 1), (2000, 5000), (SIZE - 1, 2 * SIZE)):
        buffer.fill(CPU)

        mapping = device.map_single(buffer, direction, offset=offset, size=size)
        memory.write(mapping.dma_addr, DEVICE.content(0, size))
        mapping.unmap()

        same_bytes(buffer, offset, DEVICE.content(0, size), summary=LOST)
        unchanged(buffer, CPU, 0, offset, summary=BESIDE)
        unchanged(buffer, CPU, offset + size, summary=BESIDE)


@pytest.mark.property("B3", "B5")
@pytest.mark.parametrize("driver", DRIVERS)
def test_an_offset_of_pages_is_part_of_the_address(
    device: Device, probe: Probe, memory: LiveMemory, page: int
) -> None:
    """dma_map_page() maps what the offset leads to, in the page that it is given and behind it."""
    buffer = probe.buffer(4 * page)
    for offset in (0, 100, page - 1, page, 2 * page + 100):
        buffer.fill(CPU)

        mapping = device.map_page(buffer, Direction.BIDIRECTIONAL, offset=offset, size=page)
        same_bytes(memory, mapping.dma_addr, CPU.content(offset, page))
        memory.write(mapping.dma_addr, DEVICE.content(0, page))
        mapping.unmap()

        same_bytes(buffer, offset, DEVICE.content(0, page))
        unchanged(buffer, CPU, 0, offset)


@pytest.mark.property("B3", "B5")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("attrs", HINTS, ids=lambda attrs: attrs.name)
def test_attributes_that_are_hints_change_no_copy(
    device: Device, probe: Probe, memory: LiveMemory, attrs: Attr
) -> None:
    """map and unmap with attributes that say nothing of the content copy as they do without."""
    buffer = probe.buffer(SIZE)
    for direction in DIRECTIONS:
        buffer.fill(CPU)

        mapping = device.map_single(buffer, direction, attrs=attrs)
        same_bytes(memory, mapping.dma_addr, CPU.content(0, SIZE), summary=NOT_COPIED_IN)
        memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
        mapping.unmap(attrs)

        if direction in WRITING:
            holds(buffer, DEVICE, summary=LOST)
        else:
            unchanged(buffer, CPU, summary=COPIED_BACK)


@pytest.mark.property("B5", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_a_device_writes_into_a_to_device_buffer(
    device: Device, probe: Probe, memory: LiveMemory
) -> None:
    """An unrestricted device that writes to a TO_DEVICE mapping changes the CPU's buffer."""
    buffer = probe.buffer(SIZE, content=Byte(0))

    mapping = device.map_single(buffer, Direction.TO_DEVICE)
    memory.write(mapping.dma_addr, DEVICE.content(0, SIZE))
    mapping.unmap()

    holds(buffer, DEVICE)
