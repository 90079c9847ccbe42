# SPDX-License-Identifier: Apache-2.0
"""Expectations of the addresses that a device was given."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Protocol

from harness.base.address_range import AddressRange
from harness.devices.probe import (
    Buffer,
    SgMapping,
)
from harness.machine.devicetree import Pool
from harness.suite.lib.expect.wording import size_text, violation_of


class Given(Protocol):
    """A mapping, an allocation or a segment, as the DMA API returned it."""

    @property
    def dma_addr(self) -> int:
        """The address for the device."""


def in_pool(
    given: Given | SgMapping | Iterable[Given],
    pool: AddressRange,
    size: int | None = None,
    *,
    summary: str = "The device was given an address outside its pool.",
) -> None:
    """Every range that was *given* is in *pool*; *size* bytes each, where it has no own size."""
    for one in _each(given):
        length = _size(one, size)
        if not pool.contains(one.dma_addr, length):
            wanted = f"{AddressRange(one.dma_addr, length)} in {_named(pool)}"
            raise violation_of(summary, wanted, _where(one.dma_addr, length, pool))


def within(ranges: Iterable[AddressRange], pool: AddressRange, what: str) -> None:
    """There is at least one range of *what*, and all *ranges* are in *pool*."""
    every = list(ranges)
    if not every:
        raise violation_of(f"The driver uses no {what}.", f"{what} in {_named(pool)}", "none")
    for one in every:
        if not pool.contains(one.base, one.size):
            summary = f"The driver gave its device {what} outside its pool."
            wanted = f"{AddressRange.__str__(one)} in {_named(pool)}"
            raise violation_of(summary, wanted, _where(one.base, one.size, pool))


def none_within(ranges: Iterable[AddressRange], pool: AddressRange, what: str) -> None:
    """None of the *ranges* of *what* begins in *pool*."""
    for one in ranges:
        if pool.contains(one.base):
            summary = f"The driver gave its device {what} in the pool of another device."
            raise violation_of(summary, f"{what} outside {_named(pool)}", f"{one.base:#x}")


def outside(given: Given | Iterable[Given], pool: AddressRange) -> None:
    """No address that a device was *given* is in *pool*."""
    for one in _each(given):
        if pool.contains(one.dma_addr):
            summary = "A device without a pool was given memory of a pool."
            raise violation_of(summary, f"an address outside {_named(pool)}", f"{one.dma_addr:#x}")


def not_bounced(mapping: Given, buffer: Buffer, offset: int = 0) -> None:
    """The address of a mapping is that of *buffer* itself."""
    address = buffer.phys + offset
    if mapping.dma_addr != address:
        summary = "A mapping of an unrestricted device is not the buffer itself."
        raise violation_of(summary, f"dma_addr {address:#x}", f"dma_addr {mapping.dma_addr:#x}")


def apart(given: Iterable[Given], size: int | None = None) -> None:
    """No two *given* ranges share a byte; *size* bytes each, where they have no own size."""
    ordered = sorted(given, key=lambda one: one.dma_addr)
    ranges = [AddressRange(one.dma_addr, _size(one, size)) for one in ordered]
    for one, two in pairwise(ranges):
        if one.overlaps(two):
            summary = "The device was given the same memory twice."
            raise violation_of(summary, "ranges that do not overlap", f"{one} and {two}")


def at_addresses(given: Iterable[Given], expected: Sequence[int], *, summary: str = "") -> None:
    """The device was given exactly the addresses *expected*, in this order."""
    seen = [one.dma_addr for one in given]
    if seen != list(expected):
        at = next((i for i, (a, b) in enumerate(zip(seen, expected, strict=False)) if a != b), None)
        if at is None:
            raise violation_of(summary, f"{len(expected)} addresses", f"{len(seen)} addresses")
        raise violation_of(summary, f"number {at} at {expected[at]:#x}", f"{seen[at]:#x}")


def aligned(address: int, alignment: int, what: str, *, summary: str = "") -> None:
    """The *address* of *what* is a multiple of *alignment*, in bytes."""
    if address % alignment:
        wanted = f"{what} at a multiple of {alignment:#x}"
        raise violation_of(
            summary, wanted, f"{address:#x}, {address % alignment:#x} bytes past one"
        )


def bits_kept(address: int, source: int, mask: int, what: str) -> None:
    """The *address* of a mapping of *source* has the bits of *mask* that *source* has."""
    if (address ^ source) & mask:
        summary = "A mapping does not keep the bits of min_align_mask."
        wanted = f"{what}: bits {mask:#x} of {source:#x}, which are {source & mask:#x}"
        raise violation_of(summary, wanted, f"dma_addr {address:#x}, bits {address & mask:#x}")


def within_boundary(address: int, size: int, boundary: int) -> None:
    """The *size* bytes at *address* do not cross a multiple of *boundary*."""
    if address // boundary != (address + size - 1) // boundary:
        summary = "A mapping crosses the segment boundary of its device."
        crossed = (address + size - 1) // boundary * boundary
        wanted = f"{size} bytes between two multiples of {boundary:#x}"
        raise violation_of(summary, wanted, f"{AddressRange(address, size)} crosses {crossed:#x}")


def _each(given: Given | SgMapping | Iterable[Given]) -> Iterable[Given]:
    if isinstance(given, SgMapping):
        return given.segments
    return given if isinstance(given, Iterable) else [given]


def _size(given: Given, size: int | None) -> int:
    found = size or getattr(given, "size", None) or getattr(given, "length", None)
    assert isinstance(found, int), f"{given} has no size"
    return found


def _named(pool: AddressRange) -> str:
    borders = AddressRange.__str__(pool)
    return f"pool {pool.name} {borders}" if isinstance(pool, Pool) else borders


def _where(address: int, size: int, pool: AddressRange) -> str:
    """Describe where a range lies that is not in *pool*."""
    if not pool.overlaps(AddressRange(address, size)):
        return f"{address:#x}, outside the pool"
    out = size - (min(address + size, pool.end) - max(address, pool.base))
    return f"{address:#x}, {size_text(out)} of it outside the pool"
