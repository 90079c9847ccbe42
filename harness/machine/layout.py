# SPDX-License-Identifier: Apache-2.0
"""Layout of guest RAM: the blocks that devices in another process are handed, and the rest."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.base.space import GIB

RAM_BASE = 0x4000_0000
"""Where RAM begins on QEMU's ``virt`` (hw/arm/virt.c, base_memmap[VIRT_MEM])."""

LARGEST_RAM = 9 * GIB
"""Bytes of RAM that a machine may have: room for pools below and above 4 GiB. The kernel's table of
pages takes a 64th of it."""

PAGE = 4096
"""Bytes of a page of QEMU and of the host, and of most kernels."""


@dataclass(frozen=True, repr=False)
class RamBlock(AddressRange):
    """A contiguous piece of guest RAM.

    Each block is a file that QEMU and the harness share (qemu/ram.py). Devices in another process,
    which are vhost-user backends, map only those that are *handed_over*.
    """

    handed_over: bool


def cut(ram_size: int, pools: Sequence[AddressRange], page: int = PAGE) -> tuple[RamBlock, ...]:
    """Cut *ram_size* bytes of RAM so that the pages of every pool are blocks to hand over.

    *page* is the kernel's: QEMU tells it of each block as a bank of memory (hw/arm/boot.c:
    arm_load_dtb), of which it takes whole pages only and drops the rest (Linux 6.12,
    drivers/of/fdt.c:early_init_dt_add_memory_arch). Skip empty pools and pools outside RAM; merge
    what overlapping pools have in common.
    """
    ram_end = RAM_BASE + ram_size
    blocks: list[RamBlock] = []
    position = RAM_BASE
    for base, end in sorted(_page_span(pool, page) for pool in pools):
        if end <= max(base, position) or base < RAM_BASE or end > ram_end:
            continue
        start = max(base, position)
        if start > position:
            blocks.append(RamBlock(position, start - position, handed_over=False))
        blocks.append(RamBlock(start, end - start, handed_over=True))
        position = end
    if position < ram_end:
        blocks.append(RamBlock(position, ram_end - position, handed_over=False))
    return tuple(blocks)


def _page_span(pool: AddressRange, page: int) -> tuple[int, int]:
    return pool.base // page * page, -(-pool.end // page) * page
