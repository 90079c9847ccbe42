# SPDX-License-Identifier: Apache-2.0
"""The RAM of a guest: one anonymous file per block, which QEMU and the harness share.

Nobody needs the right to trace QEMU to read it, and it takes no space of a file system: a memfd
counts as memory of the processes that touch it (memfd_create(2)), and is gone with them.
"""

import json
import mmap
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import HostError
from harness.machine.layout import PAGE, RamBlock

PAGES, INDEX = "ram", "ram.json"
"""Saved RAM: the pages that are not all zeros, one after another, and where each run belongs."""

ZERO_PAGE = bytes(PAGE)


@dataclass(frozen=True)
class GuestRam:
    """The blocks of a guest's RAM with the open file of each; close it when done."""

    blocks: tuple[RamBlock, ...]
    files: tuple[int, ...]

    @staticmethod
    def make(blocks: Sequence[RamBlock]) -> "GuestRam":
        """Make RAM that reads as zeros and takes no memory yet; raises HostError without memfd."""
        files: list[int] = []
        try:
            for block in blocks:
                files.append(os.memfd_create(f"guest-ram-{block.base:x}", os.MFD_CLOEXEC))
                os.ftruncate(files[-1], block.size)
        except OSError as fault:
            for file in files:
                os.close(file)
            raise HostError(f"cannot make the RAM of a guest (memfd_create): {fault}") from fault
        return GuestRam(tuple(blocks), tuple(files))

    def link(self, paths: Sequence[Path]) -> None:
        """Make *paths*, one per block, for a process that inherits the files by their numbers."""
        for file, path in zip(self.files, paths, strict=True):
            path.symlink_to(f"/proc/self/fd/{file}")

    def save(self, directory: Path) -> None:
        """Write the contents to PAGES and INDEX in *directory*; the guest must be stopped."""
        index: list[tuple[int, int, int]] = []
        with (directory / PAGES).open("wb") as pages:
            for number, (block, file) in enumerate(zip(self.blocks, self.files, strict=True)):
                with mmap.mmap(file, block.size, access=mmap.ACCESS_READ) as content:
                    for begin, end in _runs(content, file):
                        pages.write(content[begin:end])
                        index.append((number, begin, end - begin))
        (directory / INDEX).write_text(json.dumps(index))

    def load(self, directory: Path) -> None:
        """Fill fresh RAM from what :meth:`save` wrote in *directory*."""
        index: list[tuple[int, int, int]] = json.loads((directory / INDEX).read_text())
        if not index:
            return
        with (directory / PAGES).open("rb") as pages:
            begin = 0
            for number, offset, size in index:
                _copy(pages.fileno(), begin, self.files[number], offset, size)
                begin += size

    def close(self) -> None:
        """Close the files; the memory is gone when nobody else has it open."""
        for file in self.files:
            os.close(file)


def _runs(content: mmap.mmap, file: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each run of pages that are not all zeros; holes are not read."""
    for first, last in filled(file, 0, len(content)):
        begin = first
        for page in range(first, last, PAGE):
            if content[page : page + PAGE] == ZERO_PAGE:
                if begin < page:
                    yield begin, page
                begin = page + PAGE
        if begin < last:
            yield begin, last


def filled(file: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each part of ``[begin, end)`` of a sparse file that was ever written.

    Their ends are those of pages, or those of the range.
    """
    while begin < end:
        try:
            begin = os.lseek(file, begin, os.SEEK_DATA)
        except OSError:  # ENXIO: the rest is a hole
            return
        if begin < end:
            hole = min(end, os.lseek(file, begin, os.SEEK_HOLE))
            yield begin, hole
            begin = hole


def _copy(source: int, begin: int, target: int, offset: int, size: int) -> None:
    """Copy *size* bytes within the kernel."""
    os.lseek(target, offset, os.SEEK_SET)
    done = 0
    while done < size:
        moved = os.sendfile(target, source, begin + done, size - done)
        if moved == 0:
            raise HostError("saved RAM of a guest ends too early: its file was cut")
        done += moved
