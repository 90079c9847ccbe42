# SPDX-License-Identifier: Apache-2.0
"""Ranges of guest-physical addresses that are RAM."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.base.errors import AddressError


@dataclass(frozen=True)
class Span:
    """The guest-physical bytes ``[base, base + size)``."""

    base: int
    size: int

    @property
    def end(self) -> int:
        """The first address after the span."""
        return self.base + self.size

    def __contains__(self, phys: int) -> bool:
        return self.base <= phys < self.end


def without(spans: Iterable[Span], holes: Iterable[Span]) -> tuple[Span, ...]:
    """What of *spans* is in none of *holes*."""
    left = list(spans)
    for hole in holes:
        left = [part for span in left for part in _sides(span, hole)]
    return tuple(left)


def _sides(span: Span, hole: Span) -> Iterator[Span]:
    """What of *span* is below *hole*, and what is above it."""
    below, above = min(span.end, hole.base), max(span.base, hole.end)
    if span.base < below:
        yield Span(span.base, below - span.base)
    if above < span.end:
        yield Span(above, span.end - above)


@dataclass(frozen=True)
class Part:
    """*size* bytes at *offset* into the span number *index*."""

    index: int
    offset: int
    size: int


def split(spans: Sequence[Span], phys: int, size: int) -> Iterator[Part]:
    """Cut the range ``[phys, phys + size)`` at the borders of *spans*.

    Neighbouring spans may be crossed. Raises AddressError when a byte of the range lies in none.
    """
    at, end = phys, phys + size
    while at < end:
        index = next((i for i, span in enumerate(spans) if at in span), None)
        if index is None:
            raise AddressError(_not_ram(spans, phys, size, at))
        span = spans[index]
        part = min(end, span.end) - at
        yield Part(index, at - span.base, part)
        at += part


def _not_ram(spans: Sequence[Span], phys: int, size: int, at: int) -> str:
    ram = ", ".join(f"{span.base:#x}-{span.end - 1:#x}" for span in spans) or "nothing"
    return (
        f"{size} bytes at guest-physical {phys:#x} were wanted, but {at:#x} is not RAM of this "
        f"machine; its RAM is {ram}"
    )
