# SPDX-License-Identifier: Apache-2.0
"""One call of the DMA API, or of the probe's own, as a value: made here, carried out by a session.

The caller chooses handles (0 to 65535, for each space of its own), so a call may use what an
earlier call of the same batch makes. Sizes and offsets are bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from harness.devices.probe import answers, wire
from harness.devices.probe.answers import (
    Allocated,
    BufferAddresses,
    DeviceInfo,
    Held,
    Live,
    Mapped,
    Segment,
)
from harness.devices.probe.pattern import Pattern
from harness.devices.probe.protocol import operations
from harness.devices.probe.values import (
    AllocationError,
    AllocCall,
    Attr,
    BufferKind,
    ContentError,
    Direction,
    DmaError,
    Gfp,
    MappingError,
    SettingError,
)
from harness.devices.probe.wire import MapCall, Setting, Space, SyncTarget

T = TypeVar("T")


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, the parser of its answer, and the error that a failure of the kernel is.

    *op* names the operation of the probe's table (``PROBE_OPERATIONS``, guest/probe/protocol.h).
    """

    op: str
    payload: bytes
    parse: Callable[[bytes], T] = field(repr=False)
    failure: type[DmaError] = field(default=DmaError, repr=False)
    what: str = ""

    def __str__(self) -> str:
        return self.what or self.op

    def encode(self) -> bytes:
        """The request record."""
        return wire.encode_request(self.op, self.payload)


@dataclass(frozen=True)
class SgEntry:
    """A piece of a buffer in a scatterlist."""

    buffer: int
    offset: int
    length: int


def reset() -> Call[None]:
    """Unmap and free everything, in every context."""
    return Call("RESET", b"", answers.nothing)


def devices() -> Call[tuple[int, ...]]:
    """The ids of all devices; an id is never used twice."""
    return Call("DEVICES", b"", answers.devices)


def device_info(device: int) -> Call[DeviceInfo]:
    """What the kernel knows of a device."""
    return Call(
        "DEVICE_INFO",
        _payload("DEVICE_INFO", device),
        lambda answer: answers.device_info(device, answer),
    )


def device_set(device: int, setting: Setting, value: int) -> Call[None]:
    """Change a parameter of a device; SettingError if the kernel refuses."""
    payload = _payload("DEVICE_SET", device, setting, value)
    what = f"setting {setting.name} to {value:#x}"
    return Call("DEVICE_SET", payload, answers.nothing, SettingError, what)


def buffer_alloc(buffer: int, kind: BufferKind, size: int) -> Call[BufferAddresses]:
    """Allocate a zeroed buffer of the CPU's."""
    return Call("BUFFER_ALLOC", _payload("BUFFER_ALLOC", buffer, kind, size), answers.place)


def buffer_free(buffer: int) -> Call[None]:
    """Free a buffer; refused (BUSY) while it is mapped."""
    return Call("BUFFER_FREE", _payload("BUFFER_FREE", buffer), answers.nothing)


def fill(space: Space, handle: int, offset: int, length: int, pattern: Pattern) -> Call[None]:
    """Fill a range with a pattern."""
    return Call("FILL", _pattern(space, handle, offset, length, pattern), answers.nothing)


def compare(space: Space, handle: int, offset: int, length: int, pattern: Pattern) -> Call[int]:
    """How many bytes of a range, from its start, are as in the pattern."""
    return Call(
        "COMPARE", _pattern(space, handle, offset, length, pattern), answers.one(wire.COUNT)
    )


def verify(space: Space, handle: int, offset: int, length: int, pattern: Pattern) -> Call[None]:
    """Nothing if a range is as in the pattern; ContentError, which ends a Work, if it is not."""
    payload = _pattern(space, handle, offset, length, pattern)
    what = f"verifying {length} bytes of {space.name.lower()} {handle}"
    return Call("VERIFY", payload, answers.nothing, ContentError, what)


def write(space: Space, handle: int, offset: int, content: bytes) -> Call[None]:
    """Write bytes; a request holds 32 KiB less a little."""
    payload = _payload("WRITE", space, handle, offset, len(content)) + content
    return Call("WRITE", payload, answers.nothing)


def read(space: Space, handle: int, offset: int, length: int) -> Call[bytes]:
    """Read 1 to ``wire.ANSWER_MAX`` bytes."""
    return Call("READ", _payload("READ", space, handle, offset, length), bytes)


def checksum(space: Space, handle: int, offset: int, length: int) -> Call[int]:
    """The CRC-32 of a range, as of :func:`zlib.crc32`."""
    payload = _payload("CHECKSUM", space, handle, offset, length)
    return Call("CHECKSUM", payload, answers.one(wire.COUNT))


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
    """``dma_map_single_attrs()``, ``dma_map_page_attrs()`` or ``dma_map_phys()``.

    MappingError if it fails, as the last one always does before Linux 6.18.
    """
    payload = _payload("MAP", mapping, device, call, direction, attrs, buffer, offset, length)
    what = f"dma_map_{call.name.lower()}({length} bytes, {direction.name})"
    return Call("MAP", payload, answers.mapped, MappingError, what)


def try_map(
    mapping: int,
    device: int,
    call: MapCall,
    buffer: int,
    offset: int,
    length: int,
    direction: Direction,
    attrs: Attr = Attr.DEFAULT,
) -> Call[Mapped]:
    """As :func:`map_buffer`, and unmapped at once; *mapping* is a handle that nothing has."""
    mapped = map_buffer(mapping, device, call, buffer, offset, length, direction, attrs)
    return replace(mapped, op="TRY_MAP")


def map_resource(
    mapping: int,
    device: int,
    phys: int,
    length: int,
    direction: Direction,
    attrs: Attr = Attr.DEFAULT,
) -> Call[Mapped]:
    """``dma_map_resource()``; MappingError if it fails."""
    payload = _payload("MAP_RESOURCE", mapping, device, direction, attrs, phys, length)
    what = f"dma_map_resource({phys:#x}, {length} bytes, {direction.name})"
    return Call("MAP_RESOURCE", payload, answers.mapped, MappingError, what)


def map_sg(
    mapping: int,
    device: int,
    entries: Sequence[SgEntry],
    direction: Direction,
    attrs: Attr = Attr.DEFAULT,
) -> Call[tuple[Segment, ...]]:
    """``dma_map_sgtable()``; MappingError if it fails, and then nothing is mapped."""
    payload = _payload("MAP_SG", mapping, device, direction, attrs) + b"".join(
        wire.SG_ENTRY.pack(entry.buffer, entry.offset, entry.length) for entry in entries
    )
    what = f"dma_map_sgtable({len(entries)} entries, {direction.name})"
    return Call("MAP_SG", payload, answers.segments, MappingError, what)


def unmap(mapping: int, attrs: Attr = Attr.DEFAULT) -> Call[None]:
    """End a mapping by the function that belongs to the one that made it."""
    return Call("UNMAP", _payload("UNMAP", mapping, attrs), answers.nothing)


def sync(mapping: int, target: SyncTarget, offset: int = 0, length: int = 0) -> Call[None]:
    """``dma_sync_single_range_for_*()``, all of it if *length* is 0; whole scatterlists only."""
    return Call("SYNC", _payload("SYNC", mapping, target, offset, length), answers.nothing)


def need_sync(mapping: int) -> Call[bool]:
    """``dma_need_sync()``."""
    return Call(
        "NEED_SYNC",
        _payload("NEED_SYNC", mapping),
        lambda answer: bool(answers.one(wire.FLAG)(answer)),
    )


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
    payload = _payload("ALLOC", allocation, device, call, direction, gfp, attrs, size)
    what = f"allocation ({call.name}) of {size} bytes"
    return Call("ALLOC", payload, answers.allocated, AllocationError, what)


def free(allocation: int) -> Call[None]:
    """Free an allocation by the function that belongs to the one that made it."""
    return Call("FREE", _payload("FREE", allocation), answers.nothing)


def forget(space: Space, handle: int) -> Call[None]:
    """Leak a mapping or an allocation: it has no handle any more, and is held forever."""
    return Call("FORGET", _payload("FORGET", space, handle), answers.nothing)


def live(space: Space, first: int = 0) -> Call[tuple[Live, ...]]:
    """What the context holds, by rising handle from *first*; as much as one answer takes."""
    return Call("LIVE", _payload("LIVE", space, first), answers.live)


def held(context: int, space: Space, handle: int) -> Call[tuple[Held, ...]]:
    """What is held in all contexts from there on, as much as one answer takes."""
    return Call("HELD", _payload("HELD", context, space, handle), answers.held)


def interrupt(device: int, buffer: int, length: int) -> Call[None]:
    """Have every other CPU map the first bytes of a buffer in an interrupt, and unmap it again.

    DmaError with ENOMEM if one of them was refused, with EILSEQ if its device saw other bytes.
    """
    payload = _payload("INTERRUPT", device, buffer, length)
    return Call("INTERRUPT", payload, answers.nothing, what=f"{length} bytes in interrupts")


def cost_map(device: int, buffer: int, direction: Direction, length: int) -> Call[tuple[int, ...]]:
    """Instructions to map, sync for the device, sync for the CPU, and unmap; the least of 32 times.

    DmaError with EOPNOTSUPP if the machine counts no instructions.
    """
    payload = _payload("COST_MAP", device, buffer, direction, length)
    return Call("COST_MAP", payload, answers.counts, what=f"mapping {length} bytes")


def cost_alloc(device: int, size: int) -> Call[tuple[int, ...]]:
    """The same to allocate and to free coherent memory."""
    payload = _payload("COST_ALLOC", device, size)
    return Call("COST_ALLOC", payload, answers.counts, what=f"allocating {size} bytes")


def raw_unmap(
    device: int, dma_addr: int, length: int, direction: Direction, attrs: Attr = Attr.DEFAULT
) -> Call[None]:
    """``dma_unmap_single_attrs()`` with just these values, as a buggy driver; may crash."""
    payload = _payload("RAW_UNMAP", device, dma_addr, length, direction, attrs)
    return Call("RAW_UNMAP", payload, answers.nothing)


def raw_sync(
    device: int, target: SyncTarget, dma_addr: int, length: int, direction: Direction
) -> Call[None]:
    """``dma_sync_single_for_*()`` with just these values, as a buggy driver; may crash."""
    payload = _payload("RAW_SYNC", device, target, dma_addr, length, direction)
    return Call("RAW_SYNC", payload, answers.nothing)


def _payload(op: str, *values: int) -> bytes:
    """The record that a request of *op* begins with."""
    return operations()[op].payload.pack(*values)


def _pattern(space: Space, handle: int, offset: int, length: int, pattern: Pattern) -> bytes:
    return _payload("FILL", space, handle, offset, length, pattern.kind, pattern.value)


PARSERS: Mapping[str, Callable[[bytes], Any]] = MappingProxyType(
    {
        "BUFFER_ALLOC": answers.place,
        "MAP": answers.mapped,
        "TRY_MAP": answers.mapped,
        "MAP_RESOURCE": answers.mapped,
        "MAP_SG": answers.segments,
        "ALLOC": answers.allocated,
        "NEED_SYNC": lambda answer: bool(answers.one(wire.FLAG)(answer)),
    }
)
"""How answers are read, for the operations whose answers the record of calls needs."""


def recorded(op: str, payload: bytes) -> Call[Any]:
    """The call of a recorded request, to make it again."""
    if op == "DEVICE_INFO":
        return device_info(wire.ID.unpack(payload)[0])
    return Call(op, payload, PARSERS.get(op, bytes))
