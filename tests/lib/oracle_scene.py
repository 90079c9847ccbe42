# SPDX-License-Identifier: Apache-2.0
"""What oracles look at, without a guest: a pool, its slots, what the probe holds, RAM."""

import os
from collections.abc import Iterable
from dataclasses import replace

from harness.base.violation import Violation
from harness.devices.probe import Held, Space
from harness.observe.memory import LiveMemory, PoolState, RamSegment, Slot

SLOT, PAGE = 2048, 4096
BASE = 0x4F00_0000

RAM = 0x4000_0000

POOL = PoolState(
    name="pool@4f000000",
    base=BASE,
    size=64 * SLOT,
    nslabs=64,
    total_nslabs=64,
    nareas=1,
    used=0,
    force_bounce=True,
    for_alloc=True,
    counted=0,
    hiwater=0,
    address=0xFFFF_0000,
)


def using(slots: int) -> PoolState:
    """The pool, whose kernel counts so many slots in use."""
    return replace(POOL, used=slots, counted=slots, hiwater=slots)


def run(first: int, size: int, origin: int | None = RAM, offset: int = 0) -> list[Slot]:
    """The slots in use of one mapping of *size* bytes, *offset* into its first slot.

    As swiotlb_search_pool_area() and swiotlb_tbl_map_single() leave them (kernel/dma/swiotlb.c).
    """
    return [
        Slot(
            index=first + number,
            phys=BASE + (first + number) * SLOT,
            orig_addr=None if origin is None else origin + number * SLOT,
            alloc_size=size - number * SLOT,
            list=0,
            pad=0,
        )
        for number in range(-(-(size + offset) // SLOT))
    ]


def mapping(first: int, size: int, offset: int = 0, context: int = 0) -> Held:
    """A mapping that begins *offset* bytes into slot *first*."""
    return Held(context, Space.MAPPING, 0, 1, BASE + first * SLOT + offset, size)


def allocation(first: int, size: int) -> Held:
    """Coherent memory that begins with slot *first*."""
    return Held(0, Space.ALLOCATION, 0, 1, BASE + first * SLOT, size)


def memory(*blocks: tuple[int, int]) -> LiveMemory:
    """Zeroed RAM with blocks of the given base and size, that can be written."""
    segments = [_segment(base, size) for base, size in blocks]
    try:
        return LiveMemory(segments)
    finally:
        for segment in segments:
            os.close(segment.fd)


def ids(violations: Iterable[Violation]) -> list[tuple[str, ...]]:
    """The violated properties of each violation."""
    return [violation.properties for violation in violations]


def _segment(base: int, size: int) -> RamSegment:
    fd = os.memfd_create("ram")
    os.truncate(fd, size)
    return RamSegment(base, size, fd=fd)
