# SPDX-License-Identifier: Apache-2.0
"""Ranges of guest-physical addresses that are RAM."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.errors import AddressError


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
