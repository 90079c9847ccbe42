# SPDX-License-Identifier: Apache-2.0
"""What fits into a restricted pool."""

from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.machine.devicetree.model.attachment import SLOT
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.model.rules import RULES

SET = 128
"""IO_TLB_SEGSIZE, slots of a set, which no mapping crosses (include/linux/swiotlb.h)."""

SET_SIZE = SET * SLOT


@dataclass(frozen=True)
class Measures:
    """Number of slots, and the largest mapping and coherent allocation of an empty pool, bytes."""

    slots: int
    largest_mapping: int
    largest_coherent: int


def measure(pool: AddressRange, kernel: KernelVersion, page: int) -> Measures:
    """Measure *pool*, for a device without limits of its own.

    kernel/dma/swiotlb.c:swiotlb_search_pool_area() and swiotlb_alloc().
    """
    base, slots = pool.base, pool.size // SLOT
    if base % SLOT and RULES["slot-unaligned"].holds(kernel):
        return Measures(slots, 0, 0)
    whole_sets, rest = divmod(slots, SET)
    sets = sorted({*([SET] if whole_sets else []), rest})
    step = page if RULES["page-unaligned"].holds(kernel) else SLOT
    mapping = max((_from_aligned(base, length, step) for length in sets), default=0)
    if mapping < page:
        mapping = min(max(sets) * SLOT, page - 1)
    coherent = 0
    size = page
    while size <= SET_SIZE:
        if _has_aligned(base, slots, size, page, aligned=RULES["set-unaligned"].holds(kernel)):
            coherent = size
        size *= 2
    return Measures(slots, mapping, coherent)


def _from_aligned(base: int, length: int, step: int) -> int:
    """Bytes from the first multiple of *step* in a set of *length* slots to the end of the set.

    Sets begin at multiples of 256 KiB from *base*, so *base* decides for all of them.
    """
    skipped = -base % step
    return max(0, length * SLOT - skipped) if skipped % SLOT == 0 else 0


def _has_aligned(base: int, slots: int, size: int, page: int, *, aligned: bool) -> bool:
    """Whether *size* bytes fit into one set, at a multiple of *size* if *aligned*."""
    step = size if aligned else page
    for first in range(0, min(slots, 2 * SET * 64), SET):
        begin = base + first * SLOT
        end = min(begin + SET_SIZE, base + slots * SLOT)
        if -(-begin // step) * step + size <= end:
            return True
    return False
