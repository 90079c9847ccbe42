# SPDX-License-Identifier: Apache-2.0
"""Searching RAM: every place is found once, wherever the borders of reads and pages lie."""

import os
import random
import re

import pytest

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.machine.layout import PAGE
from harness.observe.memory import LiveMemory, Memory, RamSegment, find
from harness.observe.memory.search import CHUNK
from harness.observe.memory.sources import MappedRam

BASE = 0x4000_0000


def ram(*blocks: tuple[int, bytes]) -> Memory:
    """RAM with the given bytes at the given physical addresses."""
    ranges = [AddressRange(base, len(data)) for base, data in blocks]
    return Memory(ranges, [MappedRam(memoryview(data)) for _, data in blocks])


def holding(pattern: bytes, *offsets: int, size: int = 3 * CHUNK) -> Memory:
    """Zeroed RAM from BASE on with *pattern* at *offsets*."""
    data = bytearray(size)
    for offset in offsets:
        data[offset : offset + len(pattern)] = pattern
    return ram((BASE, bytes(data)))


@pytest.mark.parametrize(
    "offset",
    [0, 1, PAGE - 3, CHUNK - 1, CHUNK - 7, CHUNK, 2 * CHUNK - 4, 3 * CHUNK - 8],
    ids=hex,
)
def test_a_place_is_found_once_across_every_border(offset: int) -> None:
    memory = holding(b"CANARY42", offset)

    assert list(find(memory, b"CANARY42")) == [BASE + offset]


def test_zeros_around_a_pattern_are_found_in_untouched_pages() -> None:
    pattern = bytes(100) + b"X" + bytes(100)
    memory = holding(b"X", 2 * PAGE, 5 * PAGE - 1)

    assert list(find(memory, pattern)) == [BASE + 2 * PAGE - 100, BASE + 5 * PAGE - 101]


def test_a_pattern_is_found_that_begins_or_ends_where_nobody_wrote() -> None:
    file = os.memfd_create("ram")
    os.ftruncate(file, 3 * CHUNK)
    os.pwrite(file, b"X" + bytes(2 * PAGE - 2) + b"X", 2 * PAGE)
    pattern = bytes(100) + b"X" + bytes(100)

    with LiveMemory([RamSegment(BASE, 3 * CHUNK, file)]) as memory:
        assert list(find(memory, pattern)) == [BASE + 2 * PAGE - 100, BASE + 4 * PAGE - 101]
    os.close(file)


def test_overlapping_places_count() -> None:
    memory = holding(b"ababab", 10)

    assert list(find(memory, b"abab")) == [BASE + 10, BASE + 12]


def test_a_place_across_blocks_that_touch_is_found() -> None:
    memory = ram((BASE + PAGE, b"NARY" + bytes(PAGE)), (BASE, bytes(PAGE - 2) + b"CA"))

    assert list(find(memory, b"CANARY")) == [BASE + PAGE - 2]


def test_a_gap_between_blocks_is_not_bridged() -> None:
    memory = ram((BASE, bytes(PAGE - 2) + b"CA"), (BASE + 2 * PAGE, b"NARY" + bytes(PAGE)))

    assert list(find(memory, b"CANARY")) == []


def test_blocks_on_both_sides_of_a_gap_are_searched() -> None:
    memory = ram((BASE, b"CANARY"), (BASE + 2 * PAGE, b"-CANARY"))

    assert list(find(memory, b"CANARY")) == [BASE, BASE + 2 * PAGE + 1]


def test_only_what_is_asked_for_is_searched() -> None:
    memory = holding(b"CANARY", PAGE, 2 * PAGE - 3, 3 * PAGE)
    ranges = [AddressRange(BASE + 2 * PAGE, PAGE), AddressRange(BASE + PAGE, PAGE)]

    assert list(find(memory, b"CANARY", ranges)) == [BASE + PAGE, BASE + 2 * PAGE - 3]


def test_a_sparse_ram_gives_what_a_plain_search_gives() -> None:
    chance = random.Random(1)
    data = bytearray(2 * CHUNK)
    for _ in range(3000):
        data[chance.randrange(len(data))] = chance.choice(b"\1\2")
    plain = [match.start() for match in re.finditer(b"(?=\1\0\0)", data, re.DOTALL)]

    assert list(find(ram((BASE, bytes(data))), b"\1\0\0")) == [BASE + at for at in plain]


@pytest.mark.parametrize(
    "pattern", [b"", bytes(8), b"x" * (PAGE + 1)], ids=["none", "zero", "long"]
)
def test_a_pattern_that_cannot_be_meant_is_refused(pattern: bytes) -> None:
    with pytest.raises(InputError, match="a pattern to search RAM for"):
        list(find(holding(b"x", 0), pattern))
