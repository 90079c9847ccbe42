# SPDX-License-Identifier: Apache-2.0
"""The shared memory of plugin and harness: what to watch, and a ring of accesses.

It is anonymous memory of the harness's, which QEMU opens through ``/proc``, so nothing is left
behind whoever dies first. The layout is that of ``struct control`` and ``struct record`` in
watch.c, little-endian as every host that is served.
"""

import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from harness.base.address_range import AddressRange
from harness.base.errors import HarnessError
from harness.base.hex_repr import hex_repr

HEADER = 4096
"""Bytes before the first record."""

CAPACITY = 1 << 19
"""Records in the ring, 24 MiB when all were used; a read of 4 KiB from a disk makes 1,500."""

MOST_WINDOWS, MOST_FUNCTIONS = 8, 64

_HEAD, _ARMED, _COUNTS = 0, 8, 16
_WINDOW = struct.Struct("<QQQ")
_FUNCTION = struct.Struct("<QQQ")
_WINDOWS_AT, _FUNCTIONS_AT = 40, 40 + MOST_WINDOWS * _WINDOW.size
_RECORD = struct.Struct("<QQQQQIHBB")
_U64 = struct.Struct("<Q")


@dataclass(frozen=True, repr=False)
class WatchedRange(AddressRange):
    """Memory to watch: QEMU's plugins call *reported* what is at guest-physical *base*."""

    reported: int


class Kind(IntEnum):
    """Why a function's callers matter."""

    COPYING = 0
    """It copies memory that its caller names."""
    DMA_API = 1
    """It copies a mapping out of the pool."""


@dataclass(frozen=True)
class Function:
    """A function whose callers are remembered; where it begins in the running kernel, its size."""

    name: str
    start: int
    size: int
    kind: Kind

    def __contains__(self, pc: int) -> bool:
        return self.start <= pc < self.start + self.size


@hex_repr
@dataclass(frozen=True)
class Access:
    """One access of a CPU to guest-physical *address*; *size* in bytes, a power of two.

    *number* counts all accesses in their order. *call* numbers the calls of copying functions on
    that CPU; *site* is the instruction that made the last of them before this access, *driver* the
    one that last called the DMA API.
    """

    number: int
    cpu: int
    store: bool
    size: int
    address: int
    pc: int
    site: int = 0
    driver: int = 0
    call: int = 0


class AccessRing:
    """The shared file, which a process that inherits *file* opens at *path*."""

    def __init__(self) -> None:
        self.file = os.memfd_create("pool-accesses")
        os.ftruncate(self.file, HEADER + CAPACITY * _RECORD.size)
        self._memory = mmap.mmap(self.file, HEADER + CAPACITY * _RECORD.size)
        self.watch((), ())

    @property
    def path(self) -> str:
        """The path by which a process that inherits it opens it."""
        return f"/proc/self/fd/{self.file}"

    @property
    def head(self) -> int:
        """How many accesses have been recorded in all."""
        return self._get(_HEAD)

    def watch(self, windows: Sequence[WatchedRange], functions: Sequence[Function]) -> None:
        """Say what to watch; nothing is recorded yet. Code that has run keeps its *functions*."""
        if len(windows) > MOST_WINDOWS or len(functions) > MOST_FUNCTIONS:
            raise HarnessError(
                f"cannot watch {len(windows)} pools and {len(functions)} functions: the plugin has "
                f"room for {MOST_WINDOWS} and {MOST_FUNCTIONS}. Raise the limits in watch.c"
            )
        self.arm(False)
        struct.pack_into("<3Q", self._memory, _COUNTS, CAPACITY, len(windows), len(functions))
        for number, window in enumerate(windows):
            place = _WINDOWS_AT + number * _WINDOW.size
            _WINDOW.pack_into(self._memory, place, window.reported, window.base, window.size)
        for number, one in enumerate(functions):
            place = _FUNCTIONS_AT + number * _FUNCTION.size
            _FUNCTION.pack_into(self._memory, place, one.start, one.size, one.kind)

    def arm(self, on: bool) -> None:
        """Begin, or end, to record."""
        _U64.pack_into(self._memory, _ARMED, on)

    def since(self, begin: int) -> tuple[Access, ...]:
        """All accesses from number *begin* to the head.

        Raises HarnessError when there were more than the ring holds.
        """
        head = self.head
        if head - begin > CAPACITY:
            raise HarnessError(
                f"{head - begin} accesses to the pool in one operation; the ring holds {CAPACITY}. "
                "Make the operation smaller"
            )
        return tuple(self._read(begin, head))

    def close(self) -> None:
        """Close the file and the mapping."""
        self._memory.close()
        os.close(self.file)

    def _read(self, begin: int, head: int) -> Iterator[Access]:
        for order in range(begin, head):
            place = HEADER + order % CAPACITY * _RECORD.size
            number, address, pc, site, driver, call, cpu, size, store = _RECORD.unpack_from(
                self._memory, place
            )
            if number == order + 1:  # else a CPU still writes it: it is later than the operation
                yield Access(order, cpu, bool(store), size, address, pc, site, driver, call)

    def _get(self, place: int) -> int:
        value: int = _U64.unpack_from(self._memory, place)[0]
        return value
