# SPDX-License-Identifier: Apache-2.0
"""Fill pools, and the addresses that an empty pool has for mappings."""

from harness.devices.probe.filling import allocate, fill, fill_up, free, unmap
from harness.kernel import SLOT
from harness.machine.devicetree import Region

__all__ = ["allocate", "fill", "fill_up", "free", "page_order_size", "places", "unmap"]


def places(region: Region, size: int, slot_set: int, alignment: int = SLOT) -> list[int]:
    """The addresses at which an empty pool holds *size* bytes, each a multiple of *alignment*.

    A mapping begins with a slot and lies in one *slot_set*; slot sets are counted from the pool's
    base (kernel/dma/swiotlb.c:swiotlb_search_pool_area, 6.12). Alignment is that of the address:
    a pool whose base is not slot aligned has no address.
    """
    found, at, end = [], 0, region.size // SLOT * SLOT
    length = -(-size // SLOT) * SLOT
    while at < end:
        room = min(slot_set - at % slot_set, end - at)
        fits = room >= length and (region.base + at) % alignment == 0
        if fits:
            found.append(region.base + at)
        at += length if fits else SLOT
    return found


def page_order_size(size: int, page: int) -> int:
    """The smallest power of two of pages that holds *size* bytes, in bytes."""
    return page << max(0, (-(-size // page) - 1).bit_length())
