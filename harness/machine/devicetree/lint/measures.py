# SPDX-License-Identifier: Apache-2.0
"""What fits into a restricted pool."""

from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.machine.devicetree.model.attachment import SLOT
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.model.rules import RULES

SET_SIZE = 128 * SLOT
"""Bytes of a slot set, which no mapping crosses: IO_TLB_SEGSIZE slots (include/linux/swiotlb.h)."""

MOST_SETS = 128
"""Sets that are looked at: the alignment of later ones is that of earlier ones."""


@dataclass(frozen=True)
class Measures:
    """Number of slots, and the largest mapping and coherent allocation of an empty pool, bytes."""

    slots: int
    largest_mapping: int
    largest_coherent: int


def measure(
    pool: AddressRange, kernel: KernelVersion, page: int, slot_set: int = SET_SIZE
) -> Measures:
    """Measure *pool*, for a device without limits of its own.

    *page* and *slot_set* are the kernel's, in bytes: IO_TLB_SEGSIZE slots.

    kernel/dma/swiotlb.c:swiotlb_search_pool_area() and swiotlb_alloc().
    """
    base, slots = pool.base, pool.size // SLOT
    if base % SLOT and RULES["slot-unaligned"].holds(kernel):
        return Measures(slots, 0, 0)
    in_set = slot_set // SLOT
    whole_sets, rest = divmod(slots, in_set)
    sets = sorted({*([in_set] if whole_sets else []), rest})
    step = page if RULES["page-unaligned"].holds(kernel) else SLOT
    mapping = max((_from_aligned(base, length, step) for length in sets), default=0)
    if mapping < page:
        mapping = min(max(sets) * SLOT, page - 1)
    coherent = 0
    size = page
    aligned = RULES["set-unaligned"].holds(kernel)
    while size <= slot_set:
        if _has_aligned(pool, slot_set, size, size if aligned else page):
            coherent = size
        size *= 2
    return Measures(slots, mapping, coherent)


def _from_aligned(base: int, length: int, step: int) -> int:
    """Bytes from the first multiple of *step* in a set of *length* slots to the end of the set.

    Sets begin at multiples of their size from *base*, so *base* decides for all of them.
    """
    skipped = -base % step
    return max(0, length * SLOT - skipped) if skipped % SLOT == 0 else 0


def _has_aligned(pool: AddressRange, slot_set: int, size: int, step: int) -> bool:
    """Whether *size* bytes fit into one set, at a multiple of *step*."""
    slots = pool.size // SLOT * SLOT
    for first in range(0, min(slots, MOST_SETS * slot_set), slot_set):
        begin = pool.base + first
        end = min(begin + slot_set, pool.base + slots)
        if -(-begin // step) * step + size <= end:
            return True
    return False
