# SPDX-License-Identifier: Apache-2.0
"""Sources of guest RAM: a file that QEMU has mapped too, or a mapping in this process."""

import os
import weakref
from collections.abc import Iterator
from typing import Protocol

from harness.base.errors import AddressError
from harness.machine.qemu.ram import filled


class RamSource(Protocol):
    """The bytes of one range of RAM, by offset from its base."""

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill *buffer* from *offset* on."""

    def write(self, offset: int, data: bytes) -> None:
        """Store *data* at *offset*."""

    def filled(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield begin and end of the parts of ``[begin, end)`` that may hold more than zeros."""

    def close(self) -> None:
        """Let go of what this process holds."""


class MappedRam:
    """Bytes mapped in this process: a dump."""

    def __init__(self, view: memoryview) -> None:
        self.view = view

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill *buffer* from *offset* on."""
        buffer[:] = self.view[offset : offset + len(buffer)]

    def write(self, offset: int, data: bytes) -> None:
        """Store *data* at *offset*; raises TypeError on a read-only mapping."""
        self.view[offset : offset + len(data)] = data

    def filled(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the whole range."""
        yield begin, end

    def close(self) -> None:
        """Do nothing: the mapping goes with its last view."""


class FileRam:
    """A memfd that QEMU has mapped; *file* stays the caller's to close.

    Reads are system calls, as a read through a mapping would allocate every page that the guest
    never touched.
    """

    def __init__(self, file: int) -> None:
        self._file = os.dup(file)
        self._close = weakref.finalize(self, os.close, self._file)

    def read_into(self, offset: int, buffer: memoryview) -> None:
        """Fill *buffer* from *offset* on."""
        done = 0
        while done < len(buffer):
            got = os.preadv(self._file, [buffer[done:]], offset + done)
            if got == 0:
                raise AddressError(f"the file of a guest's RAM ends before byte {offset + done:#x}")
            done += got

    def write(self, offset: int, data: bytes) -> None:
        """Store *data* at *offset*."""
        done = 0
        while done < len(data):
            done += os.pwrite(self._file, data[done:], offset + done)

    def filled(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the parts that were ever written: the host knows them without reading."""
        return filled(self._file, begin, end)

    def close(self) -> None:
        """Close the file; done at the end of this object's life otherwise."""
        self._close()
