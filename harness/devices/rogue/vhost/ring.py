# SPDX-License-Identifier: Apache-2.0
"""The device's side of a split virtqueue: take what the driver offers, say what was used.

Layouts: Virtual I/O Device Specification 1.2, 2.7. The memory model is the host's: the ring's
indices are moved in one access each, and between two of Python's there are enough instructions
for any store to be seen.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from harness.base.hex_repr import hex_repr
from harness.devices.rogue.vhost.answer import Answer
from harness.devices.rogue.vhost.table import MemoryTable
from harness.observe.memory.virtqueue import DESCRIPTOR, RING_HEAD

FLAGS_OFFSET = 12
"""Of ``flags`` in a descriptor."""

USED_ELEMENT = struct.Struct("<II")
"""id, len (2.7.8)."""

INDEX = struct.Struct("<H")
INDEX_OFFSET = 2
"""Of ``idx``, in the available and in the used ring (2.7.6, 2.7.8)."""

WRAP = 0xFFFF


class Descriptor(IntFlag):
    """A descriptor's flags."""

    NEXT = 1 << 0
    WRITE = 1 << 1
    INDIRECT = 1 << 2


@dataclass(frozen=True)
class RingLayout:
    """The guest-physical addresses of virtqueue number *index*, of *size* descriptors."""

    index: int
    size: int
    descriptors: int
    available: int
    used: int

    @property
    def available_event(self) -> int:
        """Behind the used ring: from which request on the device wants to be told (2.7.10)."""
        return self.used + RING_HEAD + self.size * USED_ELEMENT.size


@hex_repr
@dataclass(frozen=True)
class DeviceBuffer:
    """A piece of memory that the driver has handed over.

    Its *address* as the driver gave it, which is guest-physical unless an IOMMU stands between,
    *size* in bytes, whether the device may write, and where its *descriptor* lies.
    """

    address: int
    size: int
    writable: bool
    descriptor: int


@dataclass(frozen=True)
class Request:
    """A chain of buffers, offered as *head*; *number* counts all requests of a device from 0.

    *links* are where the chain's descriptors lie in the ring itself: of an indirect chain one.
    """

    number: int
    layout: RingLayout
    head: int
    buffers: tuple[DeviceBuffer, ...]
    links: tuple[int, ...]

    @property
    def readable(self) -> tuple[DeviceBuffer, ...]:
        """What the device shall read."""
        return tuple(buffer for buffer in self.buffers if not buffer.writable)

    @property
    def writable(self) -> tuple[DeviceBuffer, ...]:
        """What the device shall write to."""
        return tuple(buffer for buffer in self.buffers if buffer.writable)


class Ring:
    """A running virtqueue; the first request taken is number *base* of its driver's."""

    def __init__(self, table: MemoryTable, layout: RingLayout, base: int) -> None:
        self.layout = layout
        self.next = base & WRAP
        self.call: int | None = None
        """The eventfd that interrupts the driver."""
        self.running = True
        self._table = table
        self._used = self._index(layout.used)

    def take(self, number: int) -> Request | None:
        """The next request, to be known by *number*; None when the driver has offered all."""
        layout = self.layout
        if not self.running:
            return None
        offered = (self._index(layout.available) - self.next) & WRAP
        if not 0 < offered <= layout.size:  # more than it can be: the device has spoilt the index
            return None
        place = layout.available + RING_HEAD + self.next % layout.size * INDEX.size
        (head,) = INDEX.unpack(self._table.read(place, INDEX.size))
        self.next = (self.next + 1) & WRAP
        # for drivers with EVENT_IDX: without that feature the field means nothing
        self._table.write(layout.available_event, INDEX.pack(self.next))
        links, buffers = self._chain(head)
        return Request(number, layout, head, buffers, links)

    def complete(self, answer: Answer) -> None:
        """Put what the *answer* says into the used ring, and interrupt the driver."""
        if not self.running:
            return
        element = USED_ELEMENT.pack(answer.identity, answer.length)
        for _ in range(answer.times):
            slot = self._used % self.layout.size * USED_ELEMENT.size
            self._table.write(self.layout.used + RING_HEAD + slot, element)
            self._used = (self._used + answer.advance) & WRAP
            self._table.write(self.layout.used + INDEX_OFFSET, INDEX.pack(self._used))
        if self.call is not None:
            os.eventfd_write(self.call, 1)

    def _index(self, ring: int) -> int:
        return int(INDEX.unpack(self._table.read(ring + INDEX_OFFSET, INDEX.size))[0])

    def _chain(self, head: int) -> tuple[tuple[int, ...], tuple[DeviceBuffer, ...]]:
        """The chain from *head* on: where its links are, and the buffers that they stand for."""
        layout = self.layout
        links, buffers = list[int](), list[DeviceBuffer]()
        for place, flags, buffer in self._walk(layout.descriptors, layout.size, head):
            links.append(place)
            if flags & Descriptor.INDIRECT:
                inner = self._walk(buffer.address, buffer.size // DESCRIPTOR.size, 0)
                buffers += [found for _, _, found in inner]
            else:
                buffers.append(buffer)
        return tuple(links), tuple(buffers)

    def _walk(self, table: int, size: int, number: int) -> Iterator[tuple[int, int, DeviceBuffer]]:
        """Descriptors of a *table* from *number* on: place, flags, and what each points to."""
        for _ in range(size):  # a chain that the device itself has spoilt may be a circle
            if number >= size:
                return
            place = table + number * DESCRIPTOR.size
            address, length, flags, following = DESCRIPTOR.unpack(
                self._table.read(place, DESCRIPTOR.size)
            )
            yield place, flags, DeviceBuffer(address, length, bool(flags & Descriptor.WRITE), place)
            if not flags & Descriptor.NEXT:
                return
            number = following
