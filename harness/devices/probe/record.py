# SPDX-License-Identifier: Apache-2.0
"""The calls of a session as C, with their results, as a bug report shows them.

The text comes from the call itself: its operation and its payload, whose layout
:mod:`harness.devices.probe.wire` declares. Buffers are shown by their physical address.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.base.hex_repr import hex_repr
from harness.devices.probe import wire
from harness.devices.probe.answers import Allocated, BufferAddresses, DeviceInfo, Mapped, Segment
from harness.devices.probe.c_text import (
    ALLOCATIONS,
    FREE,
    GFP,
    SETTINGS,
    address_text,
    attrs_text,
    call_text,
    direction_text,
    entries_text,
    failure_text,
)
from harness.devices.probe.calls import Call
from harness.devices.probe.values import (
    AllocCall,
    DmaError,
    Gfp,
)
from harness.devices.probe.wire import MapCall, Setting, Space, SyncTarget


@hex_repr
@dataclass(frozen=True)
class _Made:
    """A live mapping or allocation: what its end looks like, and where it lies.

    *function* is ``single`` or ``coherent``, for example; *dma_addr* is None for a scatterlist.
    """

    device: str
    function: str
    dma_addr: int | None
    where: str
    size: int
    direction: int

    @property
    def tail(self) -> str:
        """The arguments after the device."""
        size = "" if self.function == "sgtable" else f", {self.size}"
        return f"{self.where}{size}, {direction_text(self.direction)}"


class Lines(Protocol):
    """What takes the lines, such as a guest's journal."""

    def append(self, line: str, /) -> None:
        """Take a line."""


class CallRecord:
    """Knows what the handles of a session stand for; adds each DMA API call to *journal*.

    *page_size* in bytes is that of the kernel, whose calls take pages and offsets in them.
    """

    def __init__(self, journal: Lines, page_size: int = 4096) -> None:
        self._journal = journal
        self._page_size = page_size
        self._devices: dict[int, str] = {}
        self._buffers: dict[int, int] = {}
        self._mappings: dict[int, _Made] = {}
        self._allocations: dict[int, _Made] = {}
        self._forms: dict[str, Callable[[Call[Any], Any], str | None]] = {
            "DEVICE_INFO": self._device_info,
            "DEVICE_SET": self._device_set,
            "BUFFER_ALLOC": self._buffer_alloc,
            "FILL": self._fill,
            "WRITE": self._write,
            "MAP": self._map,
            "TRY_MAP": self._try_map,
            "MAP_RESOURCE": self._map_resource,
            "MAP_SG": self._map_sg,
            "UNMAP": self._unmap,
            "SYNC": self._sync,
            "NEED_SYNC": self._need_sync,
            "ALLOC": self._alloc,
            "FREE": self._free,
            "FORGET": self._forget,
            "RAW_UNMAP": self._raw_unmap,
            "RAW_SYNC": self._raw_sync,
            "INTERRUPT": self._interrupt,
        }

    def fork(self, journal: Lines) -> "CallRecord":
        """A record that knows the same, and adds to another journal."""
        new = CallRecord(journal, self._page_size)
        new._devices, new._buffers = dict(self._devices), dict(self._buffers)
        new._mappings, new._allocations = dict(self._mappings), dict(self._allocations)
        return new

    def note(self, call: Call[Any], outcome: Any) -> None:
        """Add *call*, if it is a DMA API call, with its *outcome*: a DmaError if it failed."""
        form = self._forms.get(call.op)
        text = form(call, outcome) if form else None
        if text is not None:
            self._journal.append(text)

    def note_stress(self, works: int) -> None:
        """Add that *works* lists of calls ran at the same time, call by call unknown."""
        self._journal.append(f"[{works} contexts make calls at the same time, over and over]")

    def _device_info(self, _: Call[Any], outcome: Any) -> None:
        if isinstance(outcome, DeviceInfo):
            self._devices[outcome.id] = outcome.name

    def _device_set(self, call: Call[Any], outcome: Any) -> str:
        number, setting, value = wire.DEVICE_SET.unpack(call.payload)
        device = self._device(number)
        text = SETTINGS[Setting(setting)].format(device=device, value=value)
        return text + (f" = {failure_text(outcome)}" if isinstance(outcome, DmaError) else "")

    def _buffer_alloc(self, call: Call[Any], outcome: Any) -> None:
        handle, _, _ = wire.BUFFER_ALLOC.unpack(call.payload)
        if isinstance(outcome, BufferAddresses):
            self._buffers[handle] = outcome.phys

    def _fill(self, call: Call[Any], _: Any) -> str:
        space, handle, offset, length, _, _ = wire.PATTERN.unpack(call.payload)
        return self._writing(Space(space), handle, offset, length)

    def _write(self, call: Call[Any], _: Any) -> str:
        space, handle, offset, length = wire.RANGE.unpack_from(call.payload)
        return self._writing(Space(space), handle, offset, length)

    def _writing(self, space: Space, handle: int, offset: int, length: int) -> str:
        if space is Space.BUFFER:
            return f"[CPU writes {length} bytes at {self._buffer(handle, offset)}]"
        made = (self._mappings if space is Space.MAPPING else self._allocations).get(handle)
        base = made.dma_addr if made else None
        where = f"byte {offset} of the scatterlist" if base is None else f"{base + offset:#x}"
        who = "device" if space is Space.MAPPING else "CPU"
        return f"[{who} writes {length} bytes at {where}]"

    def _map(self, call: Call[Any], outcome: Any) -> str:
        fields = wire.MAP.unpack(call.payload)
        mapping, number, kind, direction, attrs, buffer, offset, length = fields
        device, function = self._device(number), MapCall(kind).name.lower()
        if isinstance(outcome, Mapped):
            made = self._made(device, function, outcome.dma_addr, length, direction)
            self._mappings[mapping] = made
        name = f"dma_map_{function}"
        source = self._source(MapCall(kind), buffer, offset)
        rest = f"{device}, {source}, {length}, {direction_text(direction)}"
        if kind == MapCall.PHYS:
            return f"{name}({rest}, {attrs_text(attrs) or 0}) = {address_text(outcome)}"
        return f"{call_text(name, rest, attrs)} = {address_text(outcome)}"

    def _try_map(self, call: Call[Any], outcome: Any) -> str:
        """As a mapping that was ended at once: its handle stays free."""
        mapping = wire.MAP.unpack(call.payload)[0]
        text = self._map(call, outcome)
        made = self._mappings.pop(mapping, None)
        return f"{text}; dma_unmap_{made.function}()" if made else text

    def _source(self, kind: MapCall, buffer: int, offset: int) -> str:
        """What is mapped, as the function takes it: an address, or a page and an offset into it."""
        if kind is not MapCall.PAGE or buffer not in self._buffers:
            return self._buffer(buffer, offset)
        phys = self._buffers[buffer] + offset
        return f"{phys - phys % self._page_size:#x}, {phys % self._page_size}"

    def _map_resource(self, call: Call[Any], outcome: Any) -> str:
        mapping, number, direction, attrs, phys, length = wire.MAP_RESOURCE.unpack(call.payload)
        device = self._device(number)
        if isinstance(outcome, Mapped):
            made = self._made(device, "resource", outcome.dma_addr, length, direction)
            self._mappings[mapping] = made
        how = f"{direction_text(direction)}, {attrs_text(attrs) or 0}"
        return f"dma_map_resource({device}, {phys:#x}, {length}, {how}) = {address_text(outcome)}"

    def _map_sg(self, call: Call[Any], outcome: Any) -> str:
        head = wire.MAP_SG.size
        mapping, number, direction, attrs = wire.MAP_SG.unpack_from(call.payload)
        entries = [
            (self._buffer(buffer, offset), length)
            for buffer, offset, length in wire.SG_ENTRY.iter_unpack(call.payload[head:])
        ]
        device, given = self._device(number), entries_text(entries)
        how = f"{direction_text(direction)}, {attrs_text(attrs) or 0}"
        text = f"dma_map_sgtable({device}, {given}, {how})"
        if isinstance(outcome, DmaError):
            return f"{text} = {failure_text(outcome)}"
        segments: Sequence[Segment] = outcome
        got = entries_text([(f"{one.dma_addr:#x}", one.length) for one in segments])
        size = sum(length for _, length in entries)
        made = _Made(device, "sgtable", None, got, size, direction)
        self._mappings[mapping] = made
        return f"{text} = {got}"

    def _unmap(self, call: Call[Any], _: Any) -> str:
        mapping, attrs = wire.UNMAP.unpack(call.payload)
        made = self._mappings.pop(mapping, None)
        if made is None:
            return f"dma_unmap(mapping {mapping})"
        return call_text(f"dma_unmap_{made.function}", f"{made.device}, {made.tail}", attrs)

    def _sync(self, call: Call[Any], _: Any) -> str:
        mapping, target, offset, length = wire.SYNC.unpack(call.payload)
        end = f"for_{SyncTarget(target).name.lower()}"
        made = self._mappings.get(mapping)
        if made is None:
            return f"dma_sync_{end}(mapping {mapping})"
        if not offset and not length:
            kind = "sgtable" if made.function == "sgtable" else "single"
            return f"dma_sync_{kind}_{end}({made.device}, {made.tail})"
        part = f"{made.where}, {offset}, {length}, {direction_text(made.direction)}"
        return f"dma_sync_single_range_{end}({made.device}, {part})"

    def _need_sync(self, call: Call[Any], outcome: Any) -> str:
        (mapping,) = wire.ID.unpack(call.payload)
        made = self._mappings.get(mapping)
        told = f"{made.device}, {made.where}" if made else f"mapping {mapping}"
        return f"dma_need_sync({told}) = {str(outcome).lower()}"

    def _alloc(self, call: Call[Any], outcome: Any) -> str:
        allocation, number, kind, direction, gfp, attrs, size = wire.ALLOC.unpack(call.payload)
        device, function = self._device(number), AllocCall(kind)
        if isinstance(outcome, Allocated):
            name = function.name.lower()
            made = self._made(device, name, outcome.dma_addr, size, direction)
            self._allocations[allocation] = made
        form = ALLOCATIONS[function]
        given = {
            "direction": direction_text(direction),
            "gfp": GFP[Gfp(gfp)],
            "attrs": attrs_text(attrs),
        }
        text = form.format(device=device, size=size, **given).replace(", )", ")")
        return f"{text} = {address_text(outcome)}"

    def _free(self, call: Call[Any], _: Any) -> str:
        (allocation,) = wire.ID.unpack(call.payload)
        made = self._allocations.pop(allocation, None)
        if made is None:
            return f"dma_free(allocation {allocation})"
        return f"{FREE[made.function]}({made.device}, {made.size}, {made.where})"

    def _forget(self, call: Call[Any], _: Any) -> str:
        space, handle = wire.OBJECT.unpack(call.payload)
        table = self._mappings if Space(space) is Space.MAPPING else self._allocations
        made = table.pop(handle, None)
        return f"[driver leaks {made.size} bytes at {made.where}]" if made else "[driver leaks]"

    def _raw_unmap(self, call: Call[Any], _: Any) -> str:
        number, dma_addr, length, direction, attrs = wire.RAW_UNMAP.unpack(call.payload)
        rest = f"{self._device(number)}, {dma_addr:#x}, {length}, {direction_text(direction)}"
        return call_text("dma_unmap_single", rest, attrs)

    def _raw_sync(self, call: Call[Any], _: Any) -> str:
        number, target, dma_addr, length, direction = wire.RAW_SYNC.unpack(call.payload)
        name = f"dma_sync_single_for_{SyncTarget(target).name.lower()}"
        rest = f"{dma_addr:#x}, {length}, {direction_text(direction)}"
        return f"{name}({self._device(number)}, {rest})"

    def _interrupt(self, call: Call[Any], outcome: Any) -> str:
        number, buffer, length = wire.INTERRUPT.unpack(call.payload)
        end = f" = {failure_text(outcome)}" if isinstance(outcome, DmaError) else ""
        what = f"{length} bytes at {self._buffer(buffer, 0)} for {self._device(number)}"
        return f"[every other CPU maps and unmaps {what} in an interrupt]{end}"

    def _device(self, number: int) -> str:
        return self._devices.get(number, f"device {number}")

    def _buffer(self, handle: int, offset: int) -> str:
        if handle in self._buffers:
            return f"{self._buffers[handle] + offset:#x}"
        return f"buffer {handle} + {offset}"

    def _made(self, device: str, name: str, dma_addr: int, size: int, direction: int) -> _Made:
        return _Made(device, name, dma_addr, f"{dma_addr:#x}", size, direction)
