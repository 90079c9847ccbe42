# SPDX-License-Identifier: Apache-2.0
"""gcc's file format for counters (gcc 12, gcc/gcov-io.h), which gcov reads beside the notes."""

import struct
from collections.abc import Iterator, Sequence

from harness.jobs.coverage.layout import ProfiledFunction, Unit

MAGIC = int.from_bytes(b"gcda", "big")
FUNCTION = 0x01000000
COUNTERS = 0x01A10000
KIND_SHIFT = 17
"""``GCOV_TAG_FOR_COUNTER``: the tag of counters of a kind."""


def encode(unit: Unit, counts: Sequence[int]) -> bytes:
    """Return the file for *unit*, whose counters together hold *counts*."""
    words = struct.pack("<4I", MAGIC, unit.version, unit.stamp, unit.checksum)
    left = iter(counts)
    return words + b"".join(_encode_function(function, left) for function in unit.functions)


def _encode_function(function: ProfiledFunction, counts: Iterator[int]) -> bytes:
    words = [FUNCTION, 12, function.ident, function.lines, function.graph]
    data = struct.pack("<5I", *words)
    for group in function.counters:
        values = [next(counts) for _ in range(group.length)]
        data += struct.pack("<2I", COUNTERS + (group.kind << KIND_SHIFT), 8 * len(values))
        data += struct.pack(f"<{len(values)}Q", *values)
    return data
