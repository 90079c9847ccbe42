# SPDX-License-Identifier: Apache-2.0
"""Streaming mappings, from map to unmap."""

from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from harness.base.hex_repr import hex_repr
from harness.devices.probe import calls
from harness.devices.probe.answers import Segment
from harness.devices.probe.buffer import Buffer
from harness.devices.probe.held_memory import HeldMemory
from harness.devices.probe.session import ProbeSession
from harness.devices.probe.values import Attr, Direction
from harness.devices.probe.wire import Space, SyncTarget


@dataclass(frozen=True)
class Slice:
    """A part of a buffer: [*offset*, *offset* + *size*), all the rest if *size* is None."""

    buffer: Buffer
    offset: int = 0
    size: int | None = None

    @property
    def length(self) -> int:
        """Its size in bytes."""
        return self.buffer.size - self.offset if self.size is None else self.size


@dataclass(frozen=True)
class AnyMapping:
    """What every live mapping can do; as a context manager it ends with the block."""

    session: ProbeSession = field(repr=False)
    handle: int
    device: str
    direction: Direction
    size: int

    @property
    def device_side(self) -> HeldMemory:
        """The memory behind its DMA address, as the device sees it (no IOMMU between).

        In a scatterlist offsets count through its segments, and a range lies within one.
        """
        return HeldMemory(self.session, Space.MAPPING, self.handle, self.size)

    def unmap(self, attrs: Attr = Attr.DEFAULT) -> None:
        """End it, as its driver would."""
        self.session.call(calls.unmap(self.handle, attrs))
        self._gone()

    def forget(self) -> None:
        """Leak it: the driver forgets to unmap."""
        self.session.call(calls.forget(Space.MAPPING, self.handle))
        self._gone()

    def need_sync(self) -> bool:
        """``dma_need_sync()``."""
        return self.session.call(calls.need_sync(self.handle))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.unmap()

    def _gone(self) -> None:
        self.session.return_handle(Space.MAPPING, self.handle)


@hex_repr
@dataclass(frozen=True)
class Mapping(AnyMapping):
    """One contiguous mapping; *phys* is where *dma_addr* leads when no IOMMU is between."""

    dma_addr: int
    phys: int

    def sync_for_cpu(self, offset: int = 0, length: int = 0) -> None:
        """``dma_sync_single_range_for_cpu()``; a length of 0 at offset 0 means all of it."""
        self.session.call(calls.sync(self.handle, SyncTarget.CPU, offset, length))

    def sync_for_device(self, offset: int = 0, length: int = 0) -> None:
        """``dma_sync_single_range_for_device()``; a length of 0 at offset 0 means all of it."""
        self.session.call(calls.sync(self.handle, SyncTarget.DEVICE, offset, length))


@dataclass(frozen=True)
class SgMapping(AnyMapping):
    """A mapped scatterlist."""

    segments: tuple[Segment, ...]

    def sync_for_cpu(self) -> None:
        """``dma_sync_sgtable_for_cpu()``."""
        self.session.call(calls.sync(self.handle, SyncTarget.CPU))

    def sync_for_device(self) -> None:
        """``dma_sync_sgtable_for_device()``."""
        self.session.call(calls.sync(self.handle, SyncTarget.DEVICE))
