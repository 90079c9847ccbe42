# SPDX-License-Identifier: Apache-2.0
"""Contents that probe and harness both know; ``guest/probe/pattern.c`` has the same."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

_STEP = 0x9E3779B1
_WORD = 0xFFFFFFFF


class PatternKind(IntEnum):
    """``enum probe_pattern_kind``."""

    BYTE = 1
    SEED = 2


@dataclass(frozen=True)
class Byte:
    """The same byte *value* (0 to 255) everywhere."""

    value: int
    kind = PatternKind.BYTE

    def content(self, offset: int, length: int) -> bytes:  # noqa: ARG002 - as Seed.content
        """The bytes at [*offset*, *offset* + *length*) of an object filled with this."""
        return bytes([self.value]) * length


@dataclass(frozen=True)
class Seed:
    """Bytes that depend on their place in the object and on the seed, *value* (32 bits)."""

    value: int
    kind = PatternKind.SEED

    def content(self, offset: int, length: int) -> bytes:
        """The bytes at [*offset*, *offset* + *length*) of an object filled with this."""
        first, last = offset // 4, (offset + length + 3) // 4
        start = offset - 4 * first
        return _words(self.value, first, last)[start : start + length]


Pattern = Byte | Seed


@lru_cache(maxsize=64)
def _words(seed: int, first: int, last: int) -> bytes:
    products = ((seed ^ index) * _STEP & _WORD for index in range(first, last))
    return struct.pack(f"<{last - first}I", *(word ^ word >> 15 for word in products))
