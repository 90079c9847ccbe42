# SPDX-License-Identifier: Apache-2.0
"""A walk through page tables of a 4 KiB granule, as Arm DDI 0487, D8 describes them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

PAGE = 4096
ADDRESS = 0x0000_FFFF_FFFF_F000
GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Leaf:
    """The *size* bytes from *address* on, mapped to *target* with the other *bits*."""

    address: int
    size: int
    target: int
    bits: int


def leaves(image: bytes, base: int, root: int, entries: int = 512) -> Iterator[Leaf]:
    """All that the tables in *image*, which lies at *base*, map; *root* is one of level 1."""
    return _leaves(image, base, root, entries, 0, GIGABYTE)


def _leaves(
    image: bytes, base: int, table: int, entries: int, first: int, span: int
) -> Iterator[Leaf]:
    for number, (entry,) in enumerate(
        struct.iter_unpack("<Q", image[table - base : table - base + 8 * entries])
    ):
        address = first + number * span
        if entry & 1 == 0:
            continue
        if span > PAGE and entry & 2:
            yield from _leaves(image, base, entry & ADDRESS, 512, address, span // 512)
        else:
            assert bool(entry & 2) == (span == PAGE), "a block of level 3, or a page above it"
            yield Leaf(address, span, entry & ADDRESS, entry & ~ADDRESS)


def joined(mapped: Iterator[Leaf]) -> list[tuple[int, int]]:
    """Begin and end of what is mapped, neighbours joined."""
    ranges: list[tuple[int, int]] = []
    for leaf in mapped:
        if ranges and ranges[-1][1] == leaf.address:
            ranges[-1] = ranges[-1][0], leaf.address + leaf.size
        else:
            ranges.append((leaf.address, leaf.address + leaf.size))
    return ranges
