# SPDX-License-Identifier: Apache-2.0
"""The guest memory that QEMU has handed over and the fence allows: all that a device can reach."""

import mmap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.base.address_range import AddressRange
from harness.machine.fence import Refusal


@dataclass(frozen=True, repr=False)
class TableEntry(AddressRange):
    """A region as SET_MEM_TABLE has it.

    *user* is its address in QEMU's process, *offset* where it begins in its file.
    """

    user: int
    offset: int

    def within(self, allowed: AddressRange) -> "TableEntry | None":
        """The part of it in *allowed*; None if there is none."""
        base, end = max(self.base, allowed.base), min(self.end, allowed.end)
        if end <= base:
            return None
        skipped = base - self.base
        return TableEntry(base, end - base, self.user + skipped, self.offset + skipped)


@dataclass(frozen=True)
class MappedRegion:
    """An entry, and the *mapping* of its file from the begin on."""

    entry: TableEntry
    mapping: mmap.mmap


class MemoryTable:
    """All regions. Addresses are guest-physical; *name* is whose refusals are recorded.

    Only *allowed* ranges are ever mapped, whatever QEMU hands over; None: all.
    An access outside reads zeros, or changes nothing, and is recorded; one that lies partly
    outside does its other part. *news* is called for each record. For the event loop's thread only.
    """

    def __init__(
        self,
        name: str,
        news: Callable[[], None] = lambda: None,
        allowed: Sequence[AddressRange] | None = None,
    ) -> None:
        self._name, self._news, self._allowed = name, news, allowed
        self._regions: tuple[MappedRegion, ...] = ()
        self.refusals: list[Refusal] = []

    @property
    def reach(self) -> tuple[AddressRange, ...]:
        """What was handed over and is allowed, in ascending order."""
        reach = [AddressRange(one.entry.base, one.entry.size) for one in self._regions]
        return tuple(sorted(reach, key=lambda one: one.base))

    def replace(self, entries: Sequence[TableEntry], files: Sequence[int]) -> None:
        """Forget the old regions and map these; the *files* remain the caller's to close."""
        self.close()
        regions = []
        for entry, file in zip(entries, files, strict=True):
            for part in self._confined(entry):
                regions.append(MappedRegion(part, mmap.mmap(file, part.offset + part.size)))
                self._regions = tuple(regions)

    def close(self) -> None:
        """Unmap everything; from then on all accesses are refused."""
        for region in self._regions:
            region.mapping.close()
        self._regions = ()

    def from_user(self, address: int) -> int | None:
        """The guest-physical address of QEMU's *address*, None if that is in no region."""
        for entry in (region.entry for region in self._regions):
            if entry.user <= address < entry.user + entry.size:
                return address - entry.user + entry.base
        return None

    def read(self, address: int, size: int) -> bytes:
        """Read *size* bytes."""
        return b"".join(
            bytes(length) if region is None else region.mapping[place : place + length]
            for region, place, length in self._pieces(address, size, "read")
        )

    def write(self, address: int, data: bytes) -> None:
        """Write *data*; two bytes at an even address at once, as a ring's index needs it."""
        done = 0
        for region, place, length in self._pieces(address, len(data), "write"):
            if region is not None:
                region.mapping[place : place + length] = data[done : done + length]
            done += length

    def refuse(self, address: int, access: Literal["read", "write"]) -> None:
        """Record that an access was not possible."""
        self.refusals.append(Refusal(self._name, address, access, time.time()))
        self._news()

    def _confined(self, entry: TableEntry) -> Iterator[TableEntry]:
        """The parts of *entry* that may be mapped."""
        if self._allowed is None:
            yield entry
            return
        for allowed in self._allowed:
            part = entry.within(allowed)
            if part is not None:
                yield part

    def _pieces(
        self, address: int, size: int, access: Literal["read", "write"]
    ) -> Iterator[tuple[MappedRegion | None, int, int]]:
        """Cut an access at the borders of regions: region, offset in its file, length in bytes."""
        end, refused = address + size, False
        while address < end:
            region = self._find(address)
            if region is None:
                limit = self._next_base(address)
                if not refused:
                    self.refuse(address, access)
                refused = True
                length, place = min(end, limit) - address, 0
            else:
                place = address - region.entry.base
                length = min(end - address, region.entry.size - place)
                place += region.entry.offset
            yield region, place, length
            address += length

    def _find(self, address: int) -> MappedRegion | None:
        for region in self._regions:
            if region.entry.contains(address):
                return region
        return None

    def _next_base(self, address: int) -> int:
        """Where the next region begins; beyond all addresses if there is none."""
        above = [r.entry.base for r in self._regions if r.entry.base > address]
        return min(above, default=1 << 65)
