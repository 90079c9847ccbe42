# SPDX-License-Identifier: Apache-2.0
"""Properties C10, C11 and D12: cache maintenance for devices that are not coherent.

QEMU has no caches. The firmware of the fence traps each ``dc`` and follows the kernel to its
barrier; harness/devices/oracles/caches.py says what a call must do.
"""

from collections.abc import Sequence

import pytest

from harness.base.address_range import AddressRange
from harness.devices.probe import (
    DIRECTIONS,
    WRITING,
    AllocCall,
    Buffer,
    Device,
    Direction,
    Mapping,
    Probe,
    SgMapping,
    Slice,
)
from harness.machine.fence.cache_log import Bounced
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import LiveMemory
from harness.suite.conftest import COHERENT
from harness.suite.lib.cache_watch import CacheWatch
from harness.suite.lib.expect import equal, holds
from harness.suite.lib.written import CPU, DEVICE

SIZE = 10_000
"""Bytes of a mapping: several slots, and not a multiple of a cache line."""

PARTS = ((0, 1), (0, 64), (63, 2), (30, 100), (4000, 5000), (0, SIZE))
"""Offset and length, in a buffer or a mapping: at, across and between the borders of lines."""

SG_PARTS = ((0, 1000), (1024, 64), (2048, 2049), (8192, 1))
"""Offset in the buffer and length of the entries of a scatterlist."""

by_direction = pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda one: one.name)
by_writing = pytest.mark.parametrize("direction", WRITING, ids=lambda one: one.name)


@pytest.fixture
def logs_caches() -> bool:
    """The firmware logs it."""
    return True


@pytest.fixture
def buffer(probe: Probe) -> Buffer:
    """Whole pages of the CPU's bytes."""
    return probe.buffer(16 * 1024, content=CPU)


def place(mapping: Mapping, offset: int = 0, length: int | None = None) -> AddressRange:
    """The place in the pool of a part of *mapping*."""
    return AddressRange(mapping.phys + offset, mapping.size if length is None else length)


def places(mapping: SgMapping) -> list[AddressRange]:
    """The place in the pool of each entry of *mapping*."""
    return [AddressRange(one.phys, one.length) for one in mapping.segments]


def bounced(mapping: SgMapping, parts: Sequence[Slice]) -> list[Bounced]:
    """Where each entry of *mapping* is in the pool, and in the CPU's buffer."""
    pairs = zip(places(mapping), parts, strict=True)
    return [Bounced(one.base, one.size, part.buffer.phys + part.offset) for one, part in pairs]


@pytest.mark.property("C10", "C11")
@by_direction
def test_map_cleans_every_line_of_the_mapping(
    device: Device, buffer: Buffer, caches: CacheWatch, direction: Direction
) -> None:
    """dma_map_single() cleans every line of its slots after the copy, and waits for that."""
    for offset, size in PARTS:
        caches.begin()
        with device.map_single(buffer, direction, offset=offset, size=size) as mapping:
            caches.cleaned("dma_map_single()", place(mapping))


@pytest.mark.property("C10", "C11")
@by_direction
def test_sync_for_device_cleans_every_line_of_its_range(
    device: Device, buffer: Buffer, caches: CacheWatch, direction: Direction
) -> None:
    """dma_sync_single_range_for_device() cleans the lines that it copied the CPU's bytes to."""
    call = "dma_sync_single_range_for_device()"
    with device.map_single(buffer, direction, size=SIZE) as mapping:
        for offset, length in PARTS:
            buffer.fill(DEVICE if offset else CPU)
            caches.begin()
            mapping.sync_for_device(offset, length)
            if direction is Direction.FROM_DEVICE:
                caches.cleaned_or_invalidated(call, place(mapping, offset, length))
            else:
                caches.cleaned(call, place(mapping, offset, length))


@pytest.mark.property("C10", "C11")
@by_writing
def test_sync_for_cpu_invalidates_every_line_of_its_range(
    device: Device, buffer: Buffer, memory: LiveMemory, caches: CacheWatch, direction: Direction
) -> None:
    """dma_sync_single_range_for_cpu() invalidates the lines that it then copies to the CPU."""
    with device.map_single(buffer, direction, size=SIZE) as mapping:
        for offset, length in PARTS:
            buffer.fill(CPU)
            memory.write(mapping.phys, DEVICE.content(0, SIZE))
            caches.begin(Bounced(mapping.phys, SIZE, buffer.phys))
            mapping.sync_for_cpu(offset, length)
            call = "dma_sync_single_range_for_cpu()"
            caches.invalidated(call, place(mapping, offset, length))
            holds(buffer, DEVICE, offset, length)


@pytest.mark.property("C10", "C11")
@by_writing
def test_unmap_invalidates_every_line_of_the_mapping(
    device: Device, buffer: Buffer, memory: LiveMemory, caches: CacheWatch, direction: Direction
) -> None:
    """dma_unmap_single() invalidates every line that the device may have written, then copies."""
    for _, size in PARTS:
        buffer.fill(CPU)
        mapping = device.map_single(buffer, direction, size=size)
        memory.write(mapping.phys, DEVICE.content(0, size))
        caches.begin(Bounced(mapping.phys, size, buffer.phys))
        mapping.unmap()
        caches.invalidated("dma_unmap_single()", place(mapping))
        holds(buffer, DEVICE, 0, size)


@pytest.mark.property("C10", "C11", "C8")
@by_direction
def test_a_scatterlist_is_cleaned_for_the_device(
    device: Device, buffer: Buffer, caches: CacheWatch, direction: Direction
) -> None:
    """dma_map_sgtable() and its sync for the device clean the lines of every entry."""
    parts = [Slice(buffer, *part) for part in SG_PARTS]
    call = "dma_sync_sgtable_for_device()"
    caches.begin()
    with device.map_sg(parts, direction) as mapping:
        caches.cleaned("dma_map_sgtable()", *places(mapping))
        buffer.fill(DEVICE)
        caches.begin()
        mapping.sync_for_device()
        if direction is Direction.FROM_DEVICE:
            caches.cleaned_or_invalidated(call, *places(mapping))
        else:
            caches.cleaned(call, *places(mapping))


@pytest.mark.property("C10", "C11", "C8")
@by_writing
def test_a_scatterlist_is_invalidated_for_the_cpu(
    device: Device, buffer: Buffer, memory: LiveMemory, caches: CacheWatch, direction: Direction
) -> None:
    """The sync of a scatterlist for the CPU, and its unmap, invalidate the lines of every entry."""
    parts = [Slice(buffer, *part) for part in SG_PARTS]
    mapping = device.map_sg(parts, direction)
    for call, end in (
        ("dma_sync_sgtable_for_cpu()", mapping.sync_for_cpu),
        ("dma_unmap_sgtable()", mapping.unmap),
    ):
        buffer.fill(CPU)
        for one in places(mapping):
            memory.write(one.base, DEVICE.content(0, one.size))
        caches.begin(*bounced(mapping, parts))
        end()
        caches.invalidated(call, *places(mapping))


@pytest.mark.property("C10", "C11")
@by_direction
def test_the_largest_mapping_is_maintained_as_a_whole(
    device: Device, probe: Probe, caches: CacheWatch, slot_set: int, direction: Direction
) -> None:
    """All lines of a mapping of a whole slot set are maintained at map and at unmap."""
    buffer = probe.buffer(slot_set, content=CPU)
    caches.begin()
    mapping = device.map_single(buffer, direction)
    caches.cleaned("dma_map_single()", place(mapping))
    caches.begin()
    mapping.unmap()
    if direction is not Direction.TO_DEVICE:
        caches.invalidated("dma_unmap_single()", place(mapping))


@pytest.mark.property("C10", "C11")
def test_a_mapping_that_begins_within_a_slot_is_maintained_from_there(
    device: Device, buffer: Buffer, memory: LiveMemory, caches: CacheWatch, page: int
) -> None:
    """With a min_align_mask the lines begin where the mapping does, not where its slot does."""
    device.set_min_align_mask(page - 1)
    for offset in (1, 100, 2049):
        buffer.fill(CPU)
        caches.begin()
        mapping = device.map_single(buffer, Direction.BIDIRECTIONAL, offset=offset, size=3000)
        caches.cleaned("dma_map_single()", place(mapping))
        memory.write(mapping.phys, DEVICE.content(0, 3000))
        caches.begin(Bounced(mapping.phys, 3000, buffer.phys + offset))
        mapping.unmap()
        caches.invalidated("dma_unmap_single()", place(mapping))


@pytest.mark.property("C10", "C11")
@pytest.mark.parametrize("call", [AllocCall.PAGES, AllocCall.NONCOHERENT], ids=lambda c: c.name)
def test_memory_that_is_not_coherent_is_maintained_by_syncs(
    device: Device, memory: LiveMemory, caches: CacheWatch, page: int, call: AllocCall
) -> None:
    """A sync of memory that dma_alloc_pages() took from the pool maintains its lines."""
    allocation = device.alloc(call, 3 * page)
    whole = AddressRange(allocation.dma_addr, SIZE)

    allocation.fill(CPU)
    caches.begin()
    device.unchecked.sync_single_for_device(whole.base, whole.size, Direction.BIDIRECTIONAL)
    caches.cleaned("dma_sync_single_for_device()", whole)
    memory.write(whole.base, DEVICE.content(0, SIZE))
    caches.begin()
    device.unchecked.sync_single_for_cpu(whole.base, whole.size, Direction.BIDIRECTIONAL)
    caches.invalidated("dma_sync_single_for_cpu()", whole)


@pytest.mark.property("D12")
@pytest.mark.parametrize("call", [AllocCall.COHERENT, AllocCall.MANAGED], ids=lambda c: c.name)
def test_coherent_memory_has_no_dirty_lines(
    device: Device, caches: CacheWatch, page: int, call: AllocCall
) -> None:
    """The lines of memory that gets an uncached alias are cleaned or invalidated before."""
    for size in (1, page, 3 * page):
        caches.begin()
        allocation = device.alloc(call, size)
        whole = AddressRange(allocation.dma_addr, -(-size // page) * page)
        caches.coherent("dma_alloc_attrs()", whole)
        allocation.free()


@pytest.mark.property("C10", "D12", control=True)
@by_direction
def test_a_coherent_device_needs_none(
    probe: Probe, buffer: Buffer, caches: CacheWatch, direction: Direction
) -> None:
    """For a dma-coherent device the kernel maintains no line of the pool, whatever the call."""
    device = probe.device(COHERENT)
    parts = [Slice(buffer, *part) for part in SG_PARTS]

    for mapping in (device.map_single(buffer, direction), device.map_sg(parts, direction)):
        mapping.sync_for_device()
        mapping.sync_for_cpu()
        mapping.unmap()
    device.alloc_coherent(SIZE).free()

    equal(caches.touched(), (), "lines of the pool that were cleaned or invalidated")


@pytest.mark.property("C10", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@by_direction
def test_without_a_pool_the_buffer_is_maintained(
    guest: Guest, device: Device, buffer: Buffer, memory: LiveMemory, direction: Direction
) -> None:
    """Without a pool the same device's own buffer is maintained, so the log sees all memory."""
    whole = AddressRange(buffer.phys, buffer.size)
    caches = CacheWatch(guest, memory, whole)

    with device.map_single(buffer, direction):
        if direction is Direction.FROM_DEVICE:
            caches.cleaned_or_invalidated("dma_map_single()", whole)
        else:
            caches.cleaned("dma_map_single()", whole)
        caches.begin()
    if direction is not Direction.TO_DEVICE:
        caches.invalidated("dma_unmap_single()", whole)
