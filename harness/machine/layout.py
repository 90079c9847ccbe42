# SPDX-License-Identifier: Apache-2.0
"""How guest RAM is cut into blocks: the pools in mapped files, the rest private to QEMU."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

RAM_BASE = 0x4000_0000
"""Where RAM begins on QEMU's ``virt`` (hw/arm/virt.c, base_memmap[VIRT_MEM])."""

PAGE = 4096


@dataclass(frozen=True)
class Block:
    """A contiguous piece of RAM: guest-physical base and size in bytes.

    A shared block is a file that the harness, and a vhost-user backend, may map; a private one
    lives in QEMU's process alone.
    """

    base: int
    size: int
    shared: bool

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.base + self.size


class Region(Protocol):
    """A pool, or a fence's window: base and size in bytes."""

    @property
    def base(self) -> int:
        """The first address."""

    @property
    def size(self) -> int:
        """How many bytes."""


def cut(ram_size: int, pools: Sequence[Region]) -> tuple[Block, ...]:
    """Cut *ram_size* bytes of RAM so that the pages of every pool are shared blocks.

    Empty pools and those outside RAM are nobody's memory; overlapping ones share what they have
    in common.
    """
    ram_end = RAM_BASE + ram_size
    blocks: list[Block] = []
    position = RAM_BASE
    for base, end in sorted(_page_span(pool) for pool in pools):
        if end <= max(base, position) or base < RAM_BASE or end > ram_end:
            continue
        start = max(base, position)
        if start > position:
            blocks.append(Block(position, start - position, shared=False))
        blocks.append(Block(start, end - start, shared=True))
        position = end
    if position < ram_end:
        blocks.append(Block(position, ram_end - position, shared=False))
    return tuple(blocks)


def _page_span(pool: Region) -> tuple[int, int]:
    return pool.base // PAGE * PAGE, -(-(pool.base + pool.size) // PAGE) * PAGE
