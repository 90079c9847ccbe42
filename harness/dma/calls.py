# SPDX-License-Identifier: Apache-2.0
"""One call of the DMA API, or of the probe's own, as a value: made here, carried out by a session.

The caller chooses handles (0 to 65535, for each space of its own), so a call may use what an
earlier call of the same batch makes. Sizes and offsets are bytes.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from harness.dma import wire
from harness.dma.pattern import Pattern
from harness.dma.values import (
    AllocationError,
    AllocCall,
    Attr,
    BufferKind,
    Bus,
    Direction,
    DmaError,
    Gfp,
    MappingError,
    SettingError,
)
from harness.dma.wire import MapCall, Op, Setting, Space, SyncTarget
from harness.errors import ProtocolError

T = TypeVar("T")

PHYS_UNKNOWN = (1 << 64) - 1


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, how its answer is understood, and what a "no" of the kernel's is called."""

    op: Op
    payload: bytes
    parse: Callable[[bytes], T] = field(repr=False)
    failure: type[DmaError] = field(default=DmaError, repr=False)
    what: str = ""

    def __str__(self) -> str:
        return self.what or self.op.name

    def encode(self) -> bytes:
        """The request record."""
        return wire.encode_request(self.op, self.payload)


@dataclass(frozen=True)
class Place:
    """Where a buffer lies: kernel virtual and physical address."""

    virt: int
    phys: int


@dataclass(frozen=True)
class Mapped:
    """A DMA address, and where it leads when no IOMMU is between."""

    dma_addr: int
    phys: int


@dataclass(frozen=True)
class Segment:
    """One segment of a mapped scatterlist."""

    dma_addr: int
    phys: int
    length: int


@dataclass(frozen=True)
class Allocated:
    """What the DMA API allocated: *phys* is of the memory behind *virt*, None if unknown."""

    virt: int
    dma_addr: int
    phys: int | None


@dataclass(frozen=True)
class DeviceInfo:
    """A device as the kernel sees it now."""

    id: int
    name: str
    of_path: str
    bus: Bus
    coherent: bool
    dma_mask: int
    coherent_dma_mask: int
    seg_boundary: int
    max_mapping_size: int
    min_align_mask: int
    max_seg_size: int


@dataclass(frozen=True)
class Live:
    """Something that the probe holds; *device* is 0 and *dma_addr* physical for a buffer."""

    handle: int
    device: int
    dma_addr: int
    size: int


@dataclass(frozen=True)
class SgEntry:
    """A piece of a buffer in a scatterlist."""

    buffer: int
    offset: int
    length: int


def reset() -> Call[None]:
    """Unmap and free everything, in every context."""
    return Call(Op.RESET, b"", _nothing)


def devices() -> Call[tuple[int, ...]]:
    """The ids of all devices; an id is never used twice."""
    return Call(Op.DEVICES, b"", _parse_devices)


def device_info(device: int) -> Call[DeviceInfo]:
    """What the kernel knows of a device."""
    return Call(
        Op.DEVICE_INFO, wire.ID.pack(device), lambda answer: _parse_device_info(device, answer)
    )


def device_set(device: int, setting: Setting, value: int) -> Call[None]:
    """Change a parameter of a device; SettingError if the kernel does not want to."""
    payload = wire.DEVICE_SET.pack(device, setting, value)
    what = f"setting {setting.name} to {value:#x}"
    return Call(Op.DEVICE_SET, payload, _nothing, SettingError, what)


def buffer_alloc(buffer: int, kind: BufferKind, size: int) -> Call[Place]:
    """Allocate a zeroed buffer of the CPU's."""
    return Call(Op.BUFFER_ALLOC, wire.BUFFER_ALLOC.pack(buffer, kind, size), _parse_place)


def buffer_free(buffer: int) -> Call[None]:
    """Free a buffer; refused (BUSY) while it is mapped."""
    return Call(Op.BUFFER_FREE, wire.ID.pack(buffer), _nothing)


def fill(space: Space, handle: int, offset: int, length: int, pattern: Pattern) -> Call[None]:
    """Fill a range with a pattern."""
    return Call(Op.FILL, _pattern(space, handle, offset, length, pattern), _nothing)


def compare(space: Space, handle: int, offset: int, length: int, pattern: Pattern) -> Call[int]:
    """How many bytes of a range, from its start, are as in the pattern."""
    return Call(Op.COMPARE, _pattern(space, handle, offset, length, pattern), _one(wire.COUNT))


def write(space: Space, handle: int, offset: int, content: bytes) -> Call[None]:
    """Write bytes; a request holds 32 KiB less a little."""
    payload = wire.RANGE.pack(space, handle, offset, len(content)) + content
    return Call(Op.WRITE, payload, _nothing)


def read(space: Space, handle: int, offset: int, length: int) -> Call[bytes]:
    """Read 1 to ``wire.ANSWER_MAX`` bytes."""
    return Call(Op.READ, wire.RANGE.pack(space, handle, offset, length), bytes)


def map_buffer(
    mapping: int,
    device: int,
    call: MapCall,
    buffer: int,
    offset: int,
    length: int,
    direction: Direction,
    attrs: Attr = Attr.DEFAULT,
) -> Call[Mapped]:
    """``dma_map_single_attrs()`` or ``dma_map_page_attrs()``; MappingError if it fails."""
    payload = wire.MAP.pack(mapping, device, call, direction, attrs, buffer, offset, length)
    what = f"dma_map_{call.name.lower()}({length} bytes, {direction.name})"
    return Call(Op.MAP, payload, _parse_mapped, MappingError, what)


def map_resource(
    mapping: int,
    device: int,
    phys: int,
    length: int,
    direction: Direction,
    attrs: Attr = Attr.DEFAULT,
) -> Call[Mapped]:
    """``dma_map_resource()``; MappingError if it fails."""
    payload = wire.MAP_RESOURCE.pack(mapping, device, direction, attrs, phys, length)
    what = f"dma_map_resource({phys:#x}, {length} bytes, {direction.name})"
    return Call(Op.MAP_RESOURCE, payload, _parse_mapped, MappingError, what)


def map_sg(
    mapping: int,
    device: int,
    entries: Sequence[SgEntry],
    direction: Direction,
    attrs: Attr = Attr.DEFAULT,
) -> Call[tuple[Segment, ...]]:
    """``dma_map_sgtable()``; MappingError if it fails, and then nothing is mapped."""
    payload = wire.MAP_SG.pack(mapping, device, direction, attrs) + b"".join(
        wire.SG_ENTRY.pack(entry.buffer, entry.offset, entry.length) for entry in entries
    )
    what = f"dma_map_sgtable({len(entries)} entries, {direction.name})"
    return Call(Op.MAP_SG, payload, _parse_segments, MappingError, what)


def unmap(mapping: int, attrs: Attr = Attr.DEFAULT) -> Call[None]:
    """End a mapping by the function that belongs to the one that made it."""
    return Call(Op.UNMAP, wire.UNMAP.pack(mapping, attrs), _nothing)


def sync(mapping: int, target: SyncTarget, offset: int = 0, length: int = 0) -> Call[None]:
    """``dma_sync_single_range_for_*()``, all of it if *length* is 0; whole scatterlists only."""
    return Call(Op.SYNC, wire.SYNC.pack(mapping, target, offset, length), _nothing)


def need_sync(mapping: int) -> Call[bool]:
    """``dma_need_sync()``."""
    return Call(Op.NEED_SYNC, wire.ID.pack(mapping), lambda answer: bool(_one(wire.FLAG)(answer)))


def alloc(
    allocation: int,
    device: int,
    call: AllocCall,
    size: int,
    direction: Direction = Direction.BIDIRECTIONAL,
    gfp: Gfp = Gfp.KERNEL,
    attrs: Attr = Attr.DEFAULT,
) -> Call[Allocated]:
    """Allocate memory for a device; AllocationError if it is NULL."""
    payload = wire.ALLOC.pack(allocation, device, call, direction, gfp, attrs, size)
    what = f"allocation ({call.name}) of {size} bytes"
    return Call(Op.ALLOC, payload, _parse_allocated, AllocationError, what)


def free(allocation: int) -> Call[None]:
    """Free an allocation by the function that belongs to the one that made it."""
    return Call(Op.FREE, wire.ID.pack(allocation), _nothing)


def forget(space: Space, handle: int) -> Call[None]:
    """Leak a mapping or an allocation: the probe does not know it any more."""
    return Call(Op.FORGET, wire.OBJECT.pack(space, handle), _nothing)


def live(space: Space, first: int = 0) -> Call[tuple[Live, ...]]:
    """What the context holds, by rising handle from *first*; as much as one answer takes."""
    return Call(Op.LIVE, wire.OBJECT.pack(space, first), _parse_live)


def raw_unmap(
    device: int, dma_addr: int, length: int, direction: Direction, attrs: Attr = Attr.DEFAULT
) -> Call[None]:
    """``dma_unmap_single_attrs()`` with just these values, as a buggy driver; may crash."""
    payload = wire.RAW_UNMAP.pack(device, dma_addr, length, direction, attrs)
    return Call(Op.RAW_UNMAP, payload, _nothing)


def raw_sync(
    device: int, target: SyncTarget, dma_addr: int, length: int, direction: Direction
) -> Call[None]:
    """``dma_sync_single_for_*()`` with just these values, as a buggy driver; may crash."""
    payload = wire.RAW_SYNC.pack(device, target, dma_addr, length, direction)
    return Call(Op.RAW_SYNC, payload, _nothing)


def _pattern(space: Space, handle: int, offset: int, length: int, pattern: Pattern) -> bytes:
    return wire.PATTERN.pack(space, handle, offset, length, pattern.kind, pattern.value)


def _unpack(layout: struct.Struct, answer: bytes) -> tuple[int, ...]:
    if len(answer) != layout.size:
        raise ProtocolError(
            f"the probe answered {len(answer)} bytes where {layout.size} were expected"
        )
    return layout.unpack(answer)


def _rows(layout: struct.Struct, answer: bytes) -> list[tuple[int, ...]]:
    if len(answer) % layout.size:
        raise ProtocolError(f"the probe answered {len(answer)} bytes for rows of {layout.size}")
    return list(layout.iter_unpack(answer))


def _nothing(answer: bytes) -> None:
    if answer:
        raise ProtocolError(f"the probe answered {len(answer)} bytes where none were expected")


def _one(layout: struct.Struct) -> Callable[[bytes], int]:
    return lambda answer: _unpack(layout, answer)[0]


def _parse_devices(answer: bytes) -> tuple[int, ...]:
    return tuple(row[0] for row in _rows(wire.ID, answer))


def _parse_device_info(device: int, answer: bytes) -> DeviceInfo:
    size = wire.DEVICE_INFO.size
    bus, coherent, *numbers = _unpack(wire.DEVICE_INFO, answer[:size])
    name, of_path, *rest = answer[size:].decode().split("\0")
    if rest != [""]:
        raise ProtocolError(f"the probe described device {device} as {answer[size:]!r}")
    return DeviceInfo(device, name, of_path, Bus(bus), bool(coherent), *numbers)


def _parse_place(answer: bytes) -> Place:
    return Place(*_unpack(wire.PLACE, answer))


def _parse_mapped(answer: bytes) -> Mapped:
    return Mapped(*_unpack(wire.MAPPED, answer))


def _parse_segments(answer: bytes) -> tuple[Segment, ...]:
    return tuple(Segment(*row) for row in _rows(wire.SEGMENT, answer))


def _parse_allocated(answer: bytes) -> Allocated:
    virt, dma_addr, phys = _unpack(wire.ALLOCATED, answer)
    return Allocated(virt, dma_addr, None if phys == PHYS_UNKNOWN else phys)


def _parse_live(answer: bytes) -> tuple[Live, ...]:
    return tuple(Live(*row) for row in _rows(wire.LIVE, answer))
