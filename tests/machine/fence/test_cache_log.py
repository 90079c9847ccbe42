# SPDX-License-Identifier: Apache-2.0
"""The firmware's log of cache maintenance is read as it writes it."""

import struct

import pytest

from harness.base.errors import HarnessError
from harness.machine.fence import CacheOperation, CacheOps, cache_log
from harness.machine.fence.cache_log import (
    BOUNCED_RANGES,
    CACHE_LOG_SIZE,
    KEPT,
    Bounced,
    bounced_table,
    line_hash,
)

PC = 0xFFFF_8000_0001_5F74


def memory_of(*operations: tuple[int, int], count: int | None = None) -> bytes:
    """A CPU's log with *operations*: its first word and its content."""
    head = struct.pack("<6Q", len(operations) if count is None else count, 64, 0, 0, 0, 0)
    records = b"".join(struct.pack("<3Q", word, PC, content) for word, content in operations)
    return (head + records).ljust(CACHE_LOG_SIZE, b"\xaa")


def test_operations_have_line_kind_and_completion() -> None:
    log = cache_log(memory_of((0x4F00_0040 | 10 | 1 << 63, 7), (0x4F00_0080 | 6, 8)))

    assert (log.line_size, log.counts) == (64, (2,))
    assert log.last == (
        (
            CacheOperation(0x4F00_0040, CacheOps.CLEAN, PC, completed=True, content=7),
            CacheOperation(0x4F00_0080, CacheOps.INVALIDATE, PC, completed=False, content=8),
        ),
    )


def test_a_later_look_has_what_came_since_on_every_cpu() -> None:
    before = cache_log(memory_of((0x40 | 10, 0)) + memory_of())
    after = cache_log(memory_of((0x40 | 10, 0), (0x80 | 14, 0)) + memory_of((0xC0 | 6, 0)))

    assert [one.address for one in after.since(before)] == [0x80, 0xC0]
    assert after.since(after) == ()


def test_a_log_that_went_round_keeps_the_last_oldest_first() -> None:
    words = [(64 * number | 10, 0) for number in (KEPT, KEPT + 1, *range(2, KEPT))]

    (last,) = cache_log(memory_of(*words, count=KEPT + 2)).last

    assert [one.address for one in last] == [64 * number for number in range(2, KEPT + 2)]


def test_more_than_the_log_keeps_is_no_answer() -> None:
    words = [(64 | 10, 0)] * KEPT

    with pytest.raises(HarnessError, match=f"keeps {KEPT} cache operations"):
        cache_log(memory_of(*words, count=KEPT + 1)).since(cache_log(memory_of()))


def test_a_hash_depends_on_every_word_and_its_place() -> None:
    line = bytes(range(64))
    swapped = line[8:16] + line[:8] + line[16:]

    assert len({line_hash(one) for one in (line, swapped, line[:-1] + b"x")}) == 3
    assert line_hash(struct.pack("<2Q", 1, 2)) == ((0x100_0000_01B3 ^ 2) * 0x100_0000_01B3) % 2**64


def test_bounced_ranges_are_a_table_of_fixed_size() -> None:
    table = bounced_table([Bounced(0x4F00_0000, 100, 0x4100_0000)])

    assert len(table) == 24 * BOUNCED_RANGES
    assert struct.unpack_from("<4Q", table) == (0x4F00_0000, 100, 0x4100_0000, 0)
