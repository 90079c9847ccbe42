# SPDX-License-Identifier: Apache-2.0
"""Lists of address ranges: what of them lies outside others, and where a range of bytes lies."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.base.errors import AddressError


def without(
    ranges: Iterable[AddressRange], holes: Iterable[AddressRange]
) -> tuple[AddressRange, ...]:
    """What of *ranges* is in none of *holes*."""
    left = list(ranges)
    for hole in holes:
        left = [part for span in left for part in _sides(span, hole)]
    return tuple(left)


def _sides(span: AddressRange, hole: AddressRange) -> Iterator[AddressRange]:
    """What of *span* is below *hole*, and what is above it."""
    below, above = min(span.end, hole.base), max(span.base, hole.end)
    if span.base < below:
        yield AddressRange(span.base, below - span.base)
    if above < span.end:
        yield AddressRange(above, span.end - above)


@dataclass(frozen=True)
class RangePart:
    """*size* bytes at *offset* into the span number *index*."""

    index: int
    offset: int
    size: int


def split(ranges: Sequence[AddressRange], phys: int, size: int) -> Iterator[RangePart]:
    """Cut the range ``[phys, phys + size)`` at the borders of *ranges*.

    Neighbouring ranges may be crossed. Raises AddressError when a byte of the range lies in none.
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
        f"{size} bytes at guest-physical {phys:#x} were wanted, but {at:#x} is not RAM of this "
        f"machine; its RAM is {ram}"
    )
