# SPDX-License-Identifier: Apache-2.0
"""A device that the probe's drivers are bound to, and what such a driver does with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.devices.probe import calls
from harness.devices.probe.allocation import Allocation
from harness.devices.probe.answers import DeviceInfo, Mapped
from harness.devices.probe.buffer import Buffer
from harness.devices.probe.calls import SgEntry
from harness.devices.probe.mapping import Mapping, SgMapping, Slice
from harness.devices.probe.session import ProbeSession
from harness.devices.probe.unchecked import Unchecked
from harness.devices.probe.values import AllocCall, Attr, Bus, Direction, DmaError, Gfp
from harness.devices.probe.wire import MapCall, Setting, Space


@dataclass(frozen=True)
class Device:
    """A bound device; *name* as in sysfs, *of_path* empty without a devicetree node.

    *id* is that of this binding: the device has another one after it is unbound and bound again.
    """

    session: ProbeSession = field(repr=False)
    id: int
    name: str
    bus: Bus
    of_path: str

    def info(self) -> DeviceInfo:
        """What the kernel knows of it now: masks, limits, whether it is coherent."""
        return self.session.call(calls.device_info(self.id))

    @property
    def unchecked(self) -> Unchecked:
        """What a buggy driver does."""
        return Unchecked(self.session, self.id)

    def map_single(
        self,
        buffer: Buffer,
        direction: Direction,
        *,
        offset: int = 0,
        size: int | None = None,
        attrs: Attr = Attr.DEFAULT,
    ) -> Mapping:
        """``dma_map_single_attrs()`` of a part of *buffer*; MappingError if it fails."""
        part = Slice(buffer, offset, size)
        return self._map_buffer(MapCall.SINGLE, part, direction, attrs)

    def try_each(self, parts: Sequence[Slice]) -> list[Mapped | DmaError]:
        """``dma_map_single()`` TO_DEVICE of each part, ended before the next.

        What the kernel refuses is a value; it refuses without a word (``DMA_ATTR_NO_WARN``).
        """
        handle = self.session.take_handle(Space.MAPPING)
        outcomes = self.session.outcomes(
            [
                calls.try_map(
                    handle,
                    self.id,
                    MapCall.SINGLE,
                    part.buffer.handle,
                    part.offset,
                    part.length,
                    Direction.TO_DEVICE,
                    Attr.NO_WARN,
                )
                for part in parts
            ]
        )
        self.session.return_handle(Space.MAPPING, handle)
        return outcomes

    def map_page(
        self,
        buffer: Buffer,
        direction: Direction,
        *,
        offset: int = 0,
        size: int | None = None,
        attrs: Attr = Attr.DEFAULT,
    ) -> Mapping:
        """``dma_map_page_attrs()`` of a part of *buffer*; MappingError if it fails."""
        part = Slice(buffer, offset, size)
        return self._map_buffer(MapCall.PAGE, part, direction, attrs)

    def map_phys(
        self,
        buffer: Buffer,
        direction: Direction,
        *,
        offset: int = 0,
        size: int | None = None,
        attrs: Attr = Attr.DEFAULT,
    ) -> Mapping:
        """``dma_map_phys()`` of a part of *buffer*; MappingError if it fails, or before 6.18."""
        part = Slice(buffer, offset, size)
        return self._map_buffer(MapCall.PHYS, part, direction, attrs)

    def map_sg(
        self, parts: Sequence[Slice], direction: Direction, attrs: Attr = Attr.DEFAULT
    ) -> SgMapping:
        """``dma_map_sgtable()``; MappingError if it fails, and then nothing is mapped."""
        entries = [SgEntry(part.buffer.handle, part.offset, part.length) for part in parts]
        handle, segments = self.session.make(
            Space.MAPPING, lambda handle: calls.map_sg(handle, self.id, entries, direction, attrs)
        )
        size = sum(part.length for part in parts)
        return SgMapping(self.session, handle, self.name, direction, size, segments)

    def map_resource(
        self, phys: int, size: int, direction: Direction, attrs: Attr = Attr.DEFAULT
    ) -> Mapping:
        """``dma_map_resource()`` of *size* bytes at *phys*; MappingError if it fails."""
        handle, mapped = self.session.make(
            Space.MAPPING,
            lambda handle: calls.map_resource(handle, self.id, phys, size, direction, attrs),
        )
        return self._mapping(handle, direction, size, mapped)

    def alloc(
        self,
        call: AllocCall,
        size: int,
        direction: Direction = Direction.BIDIRECTIONAL,
        *,
        gfp: Gfp = Gfp.KERNEL,
        attrs: Attr = Attr.DEFAULT,
    ) -> Allocation:
        """Allocate *size* bytes by the function *call*; AllocationError if it is NULL."""
        handle, got = self.session.make(
            Space.ALLOCATION,
            lambda handle: calls.alloc(handle, self.id, call, size, direction, gfp, attrs),
        )
        place = (got.virt, got.dma_addr, got.phys)
        return Allocation(self.session, Space.ALLOCATION, handle, size, call, *place)

    def alloc_coherent(
        self, size: int, *, gfp: Gfp = Gfp.KERNEL, attrs: Attr = Attr.DEFAULT
    ) -> Allocation:
        """``dma_alloc_attrs()``; AllocationError if it is NULL."""
        return self.alloc(AllocCall.COHERENT, size, gfp=gfp, attrs=attrs)

    def alloc_pages(self, size: int, direction: Direction = Direction.BIDIRECTIONAL) -> Allocation:
        """``dma_alloc_pages()``; AllocationError if it is NULL."""
        return self.alloc(AllocCall.PAGES, size, direction)

    def cost_of_mapping(self, buffer: Buffer, direction: Direction, size: int) -> tuple[int, ...]:
        """Instructions to map the first *size* bytes, sync for device and for CPU, and unmap.

        The least of 32 times, without interrupts. DmaError if the machine counts none.
        """
        return self.session.call(calls.cost_map(self.id, buffer.handle, direction, size))

    def cost_of_memory(self, size: int) -> tuple[int, ...]:
        """Instructions to allocate and to free *size* bytes of coherent memory, the least of many.

        Up to 8 MiB, or 512 allocations, are held at a time; DmaError if there is less room.
        """
        return self.session.call(calls.cost_alloc(self.id, size))

    def set_dma_mask(self, mask: int) -> None:
        """``dma_set_mask()``; SettingError if the kernel does not take it."""
        self._set(Setting.DMA_MASK, mask)

    def set_coherent_mask(self, mask: int) -> None:
        """``dma_set_coherent_mask()``; SettingError if the kernel does not take it."""
        self._set(Setting.COHERENT_MASK, mask)

    def set_min_align_mask(self, mask: int) -> None:
        """``dma_set_min_align_mask()``."""
        self._set(Setting.MIN_ALIGN_MASK, mask)

    def set_seg_boundary(self, mask: int) -> None:
        """``dma_set_seg_boundary()``."""
        self._set(Setting.SEG_BOUNDARY, mask)

    def set_bus_master(self, on: bool) -> None:
        """``pci_set_master()`` or ``pci_clear_master()``; refused for a platform device."""
        self._set(Setting.BUS_MASTER, on)

    def leak_when_unbound(self, on: bool) -> None:
        """Whether unbinding the driver leaks what is live, instead of cleaning up."""
        self._set(Setting.LEAK, on)

    def take_memory_region(self, index: int) -> None:
        """``of_reserved_mem_device_init_by_idx()``: the driver takes a region of its node.

        SettingError if the kernel does not give it.
        """
        self._set(Setting.REGION, index)

    def release_memory_regions(self) -> None:
        """``of_reserved_mem_device_release()``: the driver lets go of all that it has taken."""
        self._set(Setting.NO_REGIONS, 0)

    def _set(self, setting: Setting, value: int) -> None:
        self.session.call(calls.device_set(self.id, setting, value))

    def _map_buffer(self, call: MapCall, part: Slice, direction: Direction, attrs: Attr) -> Mapping:
        buffer, offset, size = part.buffer.handle, part.offset, part.length
        handle, mapped = self.session.make(
            Space.MAPPING,
            lambda handle: calls.map_buffer(
                handle, self.id, call, buffer, offset, size, direction, attrs
            ),
        )
        return self._mapping(handle, direction, size, mapped)

    def _mapping(self, handle: int, direction: Direction, size: int, mapped: Mapped) -> Mapping:
        place = (mapped.dma_addr, mapped.phys)
        return Mapping(self.session, handle, self.name, direction, size, *place)
