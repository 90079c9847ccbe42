# SPDX-License-Identifier: Apache-2.0
"""The kernel's cache maintenance, from the firmware's log (guest/firmware/caches.c).

QEMU has no caches: a clean or an invalidate that is missing changes no byte. The firmware traps
each ``dc`` by virtual address to the point of coherency, with its address.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from harness.base.address_range import AddressRange
from harness.base.errors import HarnessError
from harness.base.hex_repr import hex_repr

CACHE_LOG_SIZE = 0x2_0000
"""Bytes of a CPU's log."""

HEADER, OPERATION = struct.Struct("<2Q32x"), struct.Struct("<3Q")
"""struct cache_log and struct cache_operation (guest/firmware/firmware.h)."""

COMPLETED, CRM = 1 << 63, 0xF
"""Parts of the first word of struct cache_operation; the rest is the line's address."""

KEPT = 5400
"""Operations that a CPU's log has room for: KEPT_CACHE_OPERATIONS."""

BOUNCED, BOUNCED_RANGES = struct.Struct("<3Q"), 8
"""struct bounced, and how many the firmware reads."""

PRIME, WORD = 0x100_0000_01B3, struct.Struct("<Q")
"""guest/firmware/caches.c:hash()."""


class CacheOps(IntEnum):
    """What a ``dc`` does with a line, by the field CRm of the instruction (Arm DDI 0487, C5.3)."""

    INVALIDATE = 6
    CLEAN = 10
    CLEAN_TO_PERSISTENCE = 12
    CLEAN_TO_DEEP_PERSISTENCE = 13
    CLEAN_AND_INVALIDATE = 14

    @property
    def cleans(self) -> bool:
        """Whether memory then has what the CPU wrote."""
        return self is not CacheOps.INVALIDATE

    @property
    def invalidates(self) -> bool:
        """Whether the CPU then sees what is in memory."""
        return self in (CacheOps.INVALIDATE, CacheOps.CLEAN_AND_INVALIDATE)


@hex_repr
@dataclass(frozen=True)
class CacheOperation:
    """Maintenance of the line at physical *address*; *pc* is the instruction's.

    *completed*: the CPU has executed ``dsb sy`` after it. *content* is the :func:`line_hash` of the
    line at that moment, or, of a bounced line, of its original's when it was completed.
    """

    address: int
    op: CacheOps
    pc: int
    completed: bool
    content: int


@dataclass(frozen=True)
class CacheLog:
    """What each CPU did since the reset: how often, and the last operations, oldest first.

    *line_size*: bytes of a line of the data caches (CTR_EL0.DminLine).
    """

    line_size: int
    counts: tuple[int, ...]
    last: tuple[tuple[CacheOperation, ...], ...]

    def since(self, before: "CacheLog") -> tuple[CacheOperation, ...]:
        """The operations after *before*, CPU by CPU. Raises HarnessError if some were dropped."""
        found: list[CacheOperation] = []
        for was, count, last in zip(before.counts, self.counts, self.last, strict=True):
            if count - was > len(last):
                raise HarnessError(
                    f"the firmware's log keeps {KEPT} cache operations of a CPU, and there were "
                    f"{count - was}: make smaller calls, or look at the log more often"
                )
            found += last[len(last) - (count - was) :]
        return tuple(found)


@dataclass(frozen=True, repr=False)
class Bounced(AddressRange):
    """A range of a pool and, from *original* on, of the buffer whose bytes are bounced there.

    Both have the same offset in a line.
    """

    original: int


def bounced_table(ranges: Sequence[Bounced]) -> bytes:
    """The table of BOUNCED_RANGES that the firmware reads (guest/firmware/constants.h)."""
    assert len(ranges) <= BOUNCED_RANGES, f"the firmware has room for {BOUNCED_RANGES} ranges"
    records = [BOUNCED.pack(one.base, one.size, one.original) for one in ranges]
    return b"".join(records).ljust(BOUNCED_RANGES * BOUNCED.size, b"\0")


def cache_log(content: bytes) -> CacheLog:
    """Read the logs of some CPUs, CACHE_LOG_SIZE bytes each."""
    counts: list[int] = []
    last: list[tuple[CacheOperation, ...]] = []
    line_size = 0
    for begin in range(0, len(content), CACHE_LOG_SIZE):
        memory = content[begin : begin + CACHE_LOG_SIZE]
        count, line_size = HEADER.unpack_from(memory)
        counts.append(count)
        last.append(tuple(_operations(memory, count)))
    return CacheLog(line_size, tuple(counts), tuple(last))


def _operations(memory: bytes, count: int) -> Iterator[CacheOperation]:
    for number in range(max(0, count - KEPT), count):
        at = HEADER.size + number % KEPT * OPERATION.size
        line, pc, content = OPERATION.unpack_from(memory, at)
        completed, op = bool(line & COMPLETED), CacheOps(line & CRM)
        yield CacheOperation(line & ~COMPLETED & ~CRM, op, pc, completed, content)


def line_hash(line: bytes) -> int:
    """What the firmware keeps of a line's content."""
    value = 0
    for (word,) in WORD.iter_unpack(line):
        value = (value ^ word) * PRIME & (1 << 64) - 1
    return value
