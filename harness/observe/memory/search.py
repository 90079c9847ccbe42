# SPDX-License-Identifier: Apache-2.0
"""Search guest RAM for a byte pattern."""

from collections.abc import Iterable, Iterator, Sequence

from harness.base.address_range import AddressRange, joined
from harness.base.errors import InputError
from harness.machine.layout import PAGE
from harness.observe.memory.ram import Memory

CHUNK = 1 << 20
"""Bytes read at once: large enough for few calls, small enough for the CPU's cache."""

BLOCK = 16 * PAGE
"""Bytes that are compared with zeros at once: untouched RAM comes in large pieces, and a step for
each page would take longer than to search it."""

ZEROS = bytes(BLOCK)


def find(
    memory: Memory, pattern: bytes, within: Sequence[AddressRange] | None = None
) -> Iterator[int]:
    """Yield the guest-physical address of each *pattern* in RAM, ascending.

    Searches all of RAM, or the ranges *within*. Matches may overlap, and may cross the end of a
    range that touches the next. The search runs while the iterator is consumed. Raises InputError
    for a pattern that is empty, longer than a page, or all zeros, as untouched RAM is.
    """
    if not 0 < len(pattern) <= PAGE or not pattern.strip(b"\0"):
        raise InputError(
            f"a pattern to search RAM for is 1 to {PAGE} bytes, one of them not zero; "
            f"this one has {len(pattern)} bytes: {pattern[:16].hex()}"
        )
    for span in joined(memory.ranges if within is None else within):
        for part in joined(_with_neighbours(memory.filled(span), span)):
            yield from _find_in(memory, part, pattern)


def _with_neighbours(parts: Iterable[AddressRange], span: AddressRange) -> Iterator[AddressRange]:
    """*parts* of *span* and a page of zeros on both sides, where a match may begin or end."""
    done = span.base
    for part in parts:
        base, end = max(done, part.base - PAGE), min(part.end + PAGE, span.end)
        if base < end:
            yield AddressRange(base, end - base)
        done = end


def _find_in(memory: Memory, span: AddressRange, pattern: bytes) -> Iterator[int]:
    """Search *span* in chunks, each with the start of the next for matches across both."""
    overlap = len(pattern) - 1
    buffer = bytearray(min(CHUNK + overlap, span.size))
    for base in range(span.base, span.end, CHUNK):
        size = min(CHUNK + overlap, span.end - base)
        memory.read_into(base, memoryview(buffer)[:size])
        for offset in _find_in_chunk(buffer, size, pattern):
            yield base + offset


def _find_in_chunk(buffer: bytearray, size: int, pattern: bytes) -> Iterator[int]:
    """Yield each offset of *pattern* in the first *size* bytes of *buffer*."""
    around = len(pattern) - 1
    for begin, end in _filled(buffer, size):
        at = max(0, begin - around) - 1
        while (at := buffer.find(pattern, at + 1, min(size, end + around))) >= 0:
            yield at


def _filled(buffer: bytearray, size: int) -> Iterator[tuple[int, int]]:
    """Yield begin and end of each run of blocks in which a byte is not zero.

    Most RAM of a dump is zeros, which are compared much faster than searched.
    A pattern with a byte that is not zero begins and ends less than its length beside such a run;
    as it is shorter than a block, it cannot be beside two of them.
    """
    begin: int | None = None
    for at in range(0, size, BLOCK):
        end = min(at + BLOCK, size)
        empty = buffer.startswith(ZEROS[: end - at], at, end)
        if empty and begin is not None:
            yield begin, at
            begin = None
        elif not empty and begin is None:
            begin = at
    if begin is not None:
        yield begin, size
