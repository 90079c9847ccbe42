# SPDX-License-Identifier: Apache-2.0
"""Guest RAM by guest-physical address: of a running machine, or of a dump."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

from harness.base.address_range import AddressRange
from harness.machine.layout import PAGE
from harness.observe.memory.ranges import split
from harness.observe.memory.sources import FileRam, RamSource


@dataclass(frozen=True, repr=False)
class RamSegment(AddressRange):
    """One block of a running guest's RAM.

    *fd* is a file that QEMU has mapped shared, from its first byte on
    (``memory-backend-file,share=on``).
    """

    fd: int


class Memory:
    """Guest RAM that can be read; *ranges* are its guest-physical addresses."""

    live = False
    """Whether the contents may change between two reads."""

    vmcoreinfo: bytes | None = None
    """The kernel's text for debuggers, if it came with the memory (vmcoreinfo.py)."""

    def __init__(self, ranges: Sequence[AddressRange], sources: Sequence[RamSource]) -> None:
        self.ranges = tuple(ranges)
        self.sources = tuple(sources)

    def read(self, phys: int, size: int) -> bytes:
        """Return *size* bytes from guest-physical *phys* on.

        Raises AddressError when one of them is not RAM.
        """
        buffer = bytearray(size)
        self.read_into(phys, memoryview(buffer))
        return bytes(buffer)

    def read_into(self, phys: int, buffer: memoryview) -> None:
        """Fill *buffer*, which must be writable bytes, from *phys* on; raises as :meth:`read`."""
        done = 0
        for part in split(self.ranges, phys, len(buffer)):
            self._source(part.index).read_into(part.offset, buffer[done : done + part.size])
            done += part.size

    def filled(self, span: AddressRange) -> Iterator[AddressRange]:
        """Yield the parts of *span* that may hold more than zeros; raises as :meth:`read`.

        A guest never touches most of its RAM.
        """
        for part in split(self.ranges, span.base, span.size):
            base = self.ranges[part.index].base
            source = self._source(part.index)
            for begin, end in source.filled(part.offset, part.offset + part.size):
                yield AddressRange(base + begin, end - begin)

    def close(self) -> None:
        """Let go of the RAM; reading raises AddressError from now on."""
        for source in self.sources:
            source.close()
        self.ranges, self.sources = (), ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _source(self, index: int) -> RamSource:
        return self.sources[index]


class LiveMemory(Memory):
    """The RAM of a running guest, which is never stopped; of a dead one, its last content.

    Reads during a change by the guest may be inconsistent: pause the guest when several reads must
    fit together. A write over code that TCG has translated does not change what runs.
    """

    live = True

    def __init__(self, segments: Sequence[RamSegment]) -> None:
        super().__init__(segments, [FileRam(segment.fd) for segment in segments])
        self.on_write: Callable[[int, bytes], None] = lambda _phys, _data: None
        """Called before each write with its address and bytes."""

    def write(self, phys: int, data: bytes) -> None:
        """Store *data* from guest-physical *phys* on; raises as :meth:`read`."""
        self.on_write(phys, data)
        done = 0
        for part in list(split(self.ranges, phys, len(data))):
            self._source(part.index).write(part.offset, data[done : done + part.size])
            done += part.size


class PausedMemory(Memory):
    """The RAM of a paused guest: reads each page of *memory* once.

    drgn makes over a thousand reads of a few bytes, nearly all of them in the same pages.
    """

    live = True

    def __init__(self, memory: LiveMemory) -> None:
        super().__init__(memory.ranges, memory.sources)
        self._pages: dict[int, bytes] = {}

    def read(self, phys: int, size: int) -> bytes:
        """Return *size* bytes from *phys* on; raises as :meth:`Memory.read`."""
        number, at = divmod(phys, PAGE)
        if at + size > PAGE:
            return super().read(phys, size)
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = super().read(number * PAGE, PAGE)
        return page[at : at + size]
