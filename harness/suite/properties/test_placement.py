# SPDX-License-Identifier: Apache-2.0
"""Properties B8 to B11: alignment, segment boundary and largest size of a mapping."""

import random
from collections.abc import Iterator

import pytest

from harness.devices.probe import (
    Batch,
    Buffer,
    Device,
    Direction,
    MapCall,
    Probe,
    Slice,
    Space,
    calls,
)
from harness.kernel import SLOT, Geometry
from harness.machine.devicetree import Placement
from harness.machine.shape import NO_POOL
from harness.suite.conftest import MOSTLY_NIGHTLY
from harness.suite.lib.expect import (
    aligned,
    bits_kept,
    counted,
    equal,
    mapped,
    not_bounced,
    not_mapped,
    require,
    within_boundary,
)

KIB = 1024

OFFSETS = (0, 1, 511, 2047, 2048, 2049, 4095)
"""Offsets of a buffer in its page: at slot boundaries, and one byte before and after."""

MASKS = (0x1FF, 0x7FF, 0xFFF, 0x3FFF, 0xFFFF, 0x1FFFF, 0xE00)
"""Values of min_align_mask: below a slot, a slot, NVMe's page, more, and bits in between."""

BOUNDARIES = (4 * KIB, 16 * KIB, 64 * KIB, 128 * KIB)

ODD_BASE = {"pool": Placement(base=0x4F00_1000, size=2048 * KIB)}
"""A pool whose base is aligned to 4 KiB, and to nothing larger."""


@pytest.fixture
def buffer(probe: Probe, slot_set: int) -> Buffer:
    """Two slot sets, 512 KiB, at a multiple of their size."""
    return probe.buffer(2 * slot_set)


@pytest.fixture
def sizes(geometry: Geometry) -> list[int]:
    """Sizes in bytes: every number of slots of a slot set, and one byte less."""
    numbers = range(1, geometry.slots_of_set + 1)
    return [size for slots in numbers for size in (slots * SLOT - 1, slots * SLOT)]


@pytest.fixture
def masks(slot_set: int) -> list[int]:
    """Those of MASKS that leave room for a mapping in a slot set."""
    return [mask for mask in MASKS if limit(mask, slot_set) > 0]


def limit(mask: int, slot_set: int) -> int:
    """dma_max_mapping_size() by kernel/dma/swiotlb.c:swiotlb_max_mapping_size, 6.12."""
    return slot_set - -(-mask // SLOT) * SLOT


def parts_for(buffer: Buffer, mask: int, geometry: Geometry) -> list[Slice]:
    """Parts at many offsets within *mask*, of sizes from a byte to the largest."""
    chance = random.Random(mask)
    phases = [0, mask, *OFFSETS, *(chance.randrange(mask + 1) for _ in range(20))]
    largest = limit(mask, geometry.slot_set)
    sizes = (1, SLOT, geometry.page, 10_000)
    return [
        *(Slice(buffer, phase, size) for phase in phases for size in sizes if size <= largest),
        *(Slice(buffer, phase, largest) for phase in phases[:4]),
    ]


def pairs(device: Device, parts: list[Slice]) -> Iterator[tuple[Slice, int]]:
    """Each part with its DMA address; every part must be mapped."""
    for part, outcome in zip(parts, device.try_each(parts), strict=True):
        yield part, mapped(outcome, part.length)


def fragment(device: Device, buffer: Buffer) -> None:
    """Fill the pool with mappings of one to three slots, with holes between them."""
    handles = [device.session.take_handle(Space.MAPPING) for _ in range(300)]
    with Batch(device.session) as batch:
        for handle in handles:
            size = (1 + handle % 3) * SLOT
            batch.add(
                calls.map_buffer(
                    handle, device.id, MapCall.SINGLE, buffer.handle, 0, size, Direction.TO_DEVICE
                )
            )
        for handle in handles[::5]:
            batch.add(calls.unmap(handle))


@pytest.mark.property("B8")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_mappings_of_a_page_and_more_are_page_aligned(
    device: Device, buffer: Buffer, page: int, sizes: list[int]
) -> None:
    """Without a min_align_mask a mapping begins at a slot, and from a page on at a page."""
    parts = [Slice(buffer, offset, size) for offset in OFFSETS[:3] for size in sizes]
    for part, dma_addr in pairs(device, parts):
        aligned(dma_addr, page if part.length >= page else SLOT, f"{part.length} bytes")


@pytest.mark.property("B8")
@pytest.mark.parametrize("placements", [ODD_BASE], ids=["odd base"])
def test_page_alignment_holds_in_a_pool_full_of_holes(
    device: Device, buffer: Buffer, page: int
) -> None:
    """A mapping of a page or more is page aligned in a fragmented pool too."""
    fragment(device, buffer)

    parts = [Slice(buffer, offset, size) for offset in OFFSETS for size in (1, SLOT, page, 10_000)]
    for part, dma_addr in pairs(device, parts):
        aligned(dma_addr, page if part.length >= page else SLOT, f"{part.length} bytes")


@pytest.mark.property("B8", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_a_mapping_is_aligned_as_its_buffer(
    device: Device, buffer: Buffer, page: int
) -> None:
    """An unrestricted mapping of a page begins where its buffer does, unaligned."""
    with device.map_single(buffer, Direction.TO_DEVICE, offset=511, size=page) as mapping:
        equal(mapping.dma_addr % page, 511, "the offset of the mapping in its page")


@pytest.mark.property("B9")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_the_bits_of_min_align_mask_are_preserved(
    device: Device, buffer: Buffer, masks: list[int], geometry: Geometry
) -> None:
    """The DMA address keeps the min_align_mask bits of the buffer, for every mask and size."""
    for mask in masks:
        device.set_min_align_mask(mask)
        for part, dma_addr in pairs(device, parts_for(buffer, mask, geometry)):
            bits_kept(dma_addr, buffer.phys + part.offset, mask, f"{part.length} bytes")


@pytest.mark.property("B9")
@pytest.mark.parametrize("placements", [ODD_BASE], ids=["odd base"])
def test_min_align_mask_holds_in_a_pool_full_of_holes(
    device: Device, buffer: Buffer, masks: list[int], geometry: Geometry
) -> None:
    """The DMA address keeps these bits in a fragmented pool with an odd base too."""
    fragment(device, buffer)

    for mask in masks:
        device.set_min_align_mask(mask)
        for part, dma_addr in pairs(device, parts_for(buffer, mask, geometry)):
            bits_kept(dma_addr, buffer.phys + part.offset, mask, f"{part.length} bytes")


@pytest.mark.property("B9", control=True)
def test_without_min_align_mask_the_bits_are_lost(
    device: Device, buffer: Buffer, page: int
) -> None:
    """Without min_align_mask the DMA address does not keep the bits of the buffer's address."""
    parts = [Slice(buffer, offset, page) for offset in OFFSETS]

    kept = [(dma_addr ^ part.offset) % page == 0 for part, dma_addr in pairs(device, parts)]

    equal(kept, [True] + [False] * (len(OFFSETS) - 1), "mappings that keep their page offset")


@pytest.mark.property("B10")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
@pytest.mark.parametrize("placements", [ODD_BASE], ids=["odd base"])
def test_no_mapping_crosses_the_segment_boundary(
    device: Device, buffer: Buffer, sizes: list[int], slot_set: int
) -> None:
    """A mapping that fits between two segment boundaries crosses none."""
    for boundary in (one for one in BOUNDARIES if one < slot_set):
        device.set_seg_boundary(boundary - 1)
        parts = [Slice(buffer, 0, size) for size in sizes if size <= boundary]
        for part, dma_addr in pairs(device, parts):
            within_boundary(dma_addr, part.length, boundary)


@pytest.mark.property("B10", control=True)
@pytest.mark.parametrize(("sets", "quarters_up"), [(8, 1)], ids=["odd base"])
def test_without_a_boundary_mappings_do_cross_it(
    device: Device, buffer: Buffer, slot_set: int, sizes: list[int]
) -> None:
    """A device with the default boundary of 4 GiB gets mappings across smaller boundaries."""
    parts = [Slice(buffer, 0, size) for size in sizes]

    crossing = [
        part
        for part, at in pairs(device, parts)
        if at // slot_set != (at + part.length - 1) // slot_set
    ]

    require(crossing, f"a mapping that crosses a multiple of {slot_set:#x}", "none")


@pytest.mark.property("B11")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_every_size_up_to_the_maximum_fits_an_empty_pool(
    device: Device, buffer: Buffer, sizes: list[int], masks: list[int], slot_set: int
) -> None:
    """Every size up to dma_max_mapping_size() can be mapped, at the worst offset of any mask."""
    for mask in (0, *masks):
        device.set_min_align_mask(mask)
        largest = limit(mask, slot_set)
        counted(device.info().max_mapping_size, largest, "bytes: dma_max_mapping_size()")
        most = [size for size in sizes if size <= largest]
        list(pairs(device, [Slice(buffer, mask, size) for size in most[-16:]]))


@pytest.mark.property("B11")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_nothing_above_256_kib_is_mapped(
    device: Device, buffer: Buffer, page: int, slot_set: int
) -> None:
    """A mapping of more than a slot set fails, with and without an offset."""
    device.set_min_align_mask(page - 1)
    parts = [Slice(buffer, 0, slot_set + 1), Slice(buffer, 1, slot_set), Slice(buffer)]

    for part, outcome in zip(parts, device.try_each(parts), strict=True):
        not_mapped(outcome, part.length)


@pytest.mark.property("B11", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_size_is_not_limited(device: Device, buffer: Buffer, slot_set: int) -> None:
    """An unrestricted device maps more than 256 KiB at once, and has no dma_max_mapping_size()."""
    counted(device.info().max_mapping_size, (1 << 64) - 1, "bytes: dma_max_mapping_size()")

    with device.map_single(buffer, Direction.TO_DEVICE, size=2 * slot_set) as mapping:
        not_bounced(mapping, buffer)
