# SPDX-License-Identifier: Apache-2.0
"""Lists of address ranges: subtract ranges, and split a range at their ends."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.base.errors import AddressError


def without(
    ranges: Iterable[AddressRange], holes: Iterable[AddressRange]
) -> tuple[AddressRange, ...]:
    """The parts of *ranges* outside all *holes*."""
    left = list(ranges)
    for hole in holes:
        left = [part for span in left for part in _sides(span, hole)]
    return tuple(left)


def _sides(span: AddressRange, hole: AddressRange) -> Iterator[AddressRange]:
    """The parts of *span* below and above *hole*."""
    below, above = min(span.end, hole.base), max(span.base, hole.end)
    if span.base < below:
        yield AddressRange(span.base, below - span.base)
    if above < span.end:
        yield AddressRange(above, span.end - above)


@dataclass(frozen=True)
class RangePart:
    """*size* bytes at *offset* into the range number *index*."""

    index: int
    offset: int
    size: int


def split(ranges: Sequence[AddressRange], phys: int, size: int) -> Iterator[RangePart]:
    """Split the range ``[phys, phys + size)`` at the ends of *ranges*.

    It may span adjacent ranges. Raises AddressError when a byte is in none of *ranges*.
    """
    at, end = phys, phys + size
    while at < end:
        index = next((i for i, span in enumerate(ranges) if span.contains(at)), None)
        if index is None:
            raise AddressError(_not_ram(ranges, phys, size, at))
        span = ranges[index]
        part = min(end, span.end) - at
        yield RangePart(index, at - span.base, part)
        at += part


def _not_ram(ranges: Sequence[AddressRange], phys: int, size: int, at: int) -> str:
    ram = ", ".join(map(str, ranges)) or "nothing"
    return (
        f"cannot access {size} bytes at guest-physical {phys:#x}: {at:#x} is not RAM of this "
        f"machine, whose RAM is {ram}"
    )
