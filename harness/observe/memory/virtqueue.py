# SPDX-License-Identifier: Apache-2.0
"""Virtqueues as the guest's drivers have set them up in QEMU's virtio devices."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.base.errors import QemuError
from harness.machine.qemu.guest import Guest
from harness.observe.memory.ram import Memory

DESCRIPTOR = struct.Struct("<QIHH")
"""addr, len, flags, next of a split virtqueue (Virtual I/O Device Specification 1.2, 2.7.5); of a
packed one addr, len, id, flags (2.8.13)."""

INDIRECT = 1 << 2
"""The flag of a descriptor that points to a table of descriptors (2.7.5.3)."""

RING_HEAD = 4
"""Bytes of flags and idx before either ring (2.7.6, 2.7.8)."""

AVAIL_ENTRY, USED_ENTRY = 2, 8

EVENT_SUPPRESSION = 4
"""Bytes of either event suppression structure of a packed virtqueue (2.8.14)."""


@dataclass(frozen=True)
class Virtqueue:
    """A virtqueue of *size* descriptors: the addresses that the device uses.

    It is split, or *packed*: then *available* and *used* are its event suppression structures.
    """

    size: int
    descriptors: int
    available: int
    used: int
    packed: bool = False

    @property
    def rings(self) -> tuple[AddressRange, ...]:
        """The memory of its three parts, in bytes."""
        if self.packed:
            return (
                AddressRange(self.descriptors, self.size * DESCRIPTOR.size),
                AddressRange(self.available, EVENT_SUPPRESSION),
                AddressRange(self.used, EVENT_SUPPRESSION),
            )
        return (
            AddressRange(self.descriptors, self.size * DESCRIPTOR.size),
            AddressRange(self.available, RING_HEAD + self.size * AVAIL_ENTRY),
            AddressRange(self.used, RING_HEAD + self.size * USED_ENTRY),
        )


def virtqueue(guest: Guest, device: str, index: int = 0, *, packed: bool = False) -> Virtqueue:
    """Queue *index* of the virtio device that QEMU calls *device* (QMP, since 7.2).

    QEMU does not say whether it is *packed*: that is a feature which the driver has accepted.
    """
    status = guest.monitor.execute(
        "x-query-virtio-queue-status", path=_path(guest, device), queue=index
    )
    return Virtqueue(
        size=status["vring-num"],
        descriptors=status["vring-desc"],
        available=status["vring-avail"],
        used=status["vring-used"],
        packed=packed,
    )


def buffers(memory: Memory, queue: Virtqueue) -> tuple[AddressRange, ...]:
    """The buffers of all descriptors, including those of completed requests.

    A table of indirect descriptors is a buffer, and so is each buffer of these. Of a packed
    virtqueue it is the first byte of each: the device overwrites sizes and flags (2.8.6).
    """
    table = AddressRange(queue.descriptors, queue.size * DESCRIPTOR.size)
    if queue.packed:
        entries = DESCRIPTOR.iter_unpack(memory.read(table.base, table.size))
        return tuple(AddressRange(addr, 1) for addr, *_ in entries if addr)
    return tuple(_buffers(memory, table))


def _buffers(memory: Memory, table: AddressRange) -> Iterator[AddressRange]:
    for addr, size, flags, _ in DESCRIPTOR.iter_unpack(memory.read(table.base, table.size)):
        if size:
            yield AddressRange(addr, size)
        if flags & INDIRECT:
            yield from _buffers(memory, AddressRange(addr, size))


def _path(guest: Guest, device: str) -> str:
    """QEMU's path of *device*; on PCI the virtio device is a child of the PCI device."""
    for known in guest.monitor.execute("x-query-virtio"):
        if device in str(known["path"]).split("/"):
            return str(known["path"])
    raise QemuError(f"QEMU has no virtio device '{device}'")
