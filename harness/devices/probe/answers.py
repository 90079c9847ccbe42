# SPDX-License-Identifier: Apache-2.0
"""What the probe's answers say: records, and the functions that read them.

Each function raises ProtocolError when the answer has another length than it must have.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from harness.base.errors import ProtocolError
from harness.base.hex_repr import hex_repr
from harness.devices.probe import wire
from harness.devices.probe.values import Bus
from harness.devices.probe.wire import Space

PHYS_UNKNOWN = (1 << 64) - 1
"""``PHYS_UNKNOWN`` of ``guest/probe/probe.h``."""


@hex_repr
@dataclass(frozen=True)
class BufferAddresses:
    """Where a buffer lies: kernel virtual and physical address."""

    virt: int
    phys: int


@hex_repr
@dataclass(frozen=True)
class Mapped:
    """A DMA address, and where it leads when no IOMMU is between."""

    dma_addr: int
    phys: int


@hex_repr
@dataclass(frozen=True)
class Segment:
    """One segment of a mapped scatterlist."""

    dma_addr: int
    phys: int
    length: int


@hex_repr
@dataclass(frozen=True)
class Allocated:
    """What the DMA API allocated: *phys* is of the memory behind *virt*, None if unknown."""

    virt: int
    dma_addr: int
    phys: int | None


@hex_repr
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


@hex_repr
@dataclass(frozen=True)
class Live:
    """Something that the probe holds; *device* is 0 and *dma_addr* physical for a buffer."""

    handle: int
    device: int
    dma_addr: int
    size: int


@hex_repr
@dataclass(frozen=True)
class Held:
    """A piece of memory that the probe holds, of any context, at guest-physical *phys*.

    In the space MAPPING it is a mapping's, one for each segment; in ALLOCATION an allocation's; in
    BUFFER a guard beside a buffer, which must not be read or written, and *device* is 0.
    """

    context: int
    space: Space
    handle: int
    device: int
    phys: int
    size: int

    @property
    def leaked(self) -> bool:
        """Whether it was forgotten, or, for a guard, is damaged."""
        return self.context == wire.LEAKED


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


def nothing(answer: bytes) -> None:
    """An answer without content."""
    if answer:
        raise ProtocolError(f"the probe answered {len(answer)} bytes where none were expected")


def one(layout: struct.Struct) -> Callable[[bytes], int]:
    """A reader of a single number."""
    return lambda answer: _unpack(layout, answer)[0]


def counts(answer: bytes) -> tuple[int, ...]:
    """All the numbers of an answer."""
    return tuple(row[0] for row in _rows(wire.COUNT, answer))


def devices(answer: bytes) -> tuple[int, ...]:
    """The ids of devices."""
    return tuple(row[0] for row in _rows(wire.ID, answer))


def device_info(device: int, answer: bytes) -> DeviceInfo:
    """What the kernel knows of *device*."""
    size = wire.DEVICE_INFO.size
    bus, coherent, *numbers = _unpack(wire.DEVICE_INFO, answer[:size])
    name, of_path, *rest = answer[size:].decode().split("\0")
    if rest != [""]:
        raise ProtocolError(f"the probe described device {device} as {answer[size:]!r}")
    return DeviceInfo(device, name, of_path, Bus(bus), bool(coherent), *numbers)


def place(answer: bytes) -> BufferAddresses:
    """Where a buffer lies."""
    return BufferAddresses(*_unpack(wire.PLACE, answer))


def mapped(answer: bytes) -> Mapped:
    """What a mapping is."""
    return Mapped(*_unpack(wire.MAPPED, answer))


def segments(answer: bytes) -> tuple[Segment, ...]:
    """The segments of a scatterlist."""
    return tuple(Segment(*row) for row in _rows(wire.SEGMENT, answer))


def allocated(answer: bytes) -> Allocated:
    """What was allocated."""
    virt, dma_addr, phys = _unpack(wire.ALLOCATED, answer)
    return Allocated(virt, dma_addr, None if phys == PHYS_UNKNOWN else phys)


def live(answer: bytes) -> tuple[Live, ...]:
    """What the probe holds."""
    return tuple(Live(*row) for row in _rows(wire.LIVE, answer))


def held(answer: bytes) -> tuple[Held, ...]:
    """What the probe holds in all contexts."""
    rows = _rows(wire.HELD, answer)
    return tuple(Held(context, Space(space), *rest) for context, space, *rest in rows)
