# SPDX-License-Identifier: Apache-2.0
"""The values of all counters of a kernel: in a guest's memory, and added up over guests."""

import json
import struct
from collections.abc import Iterable, Sequence
from operator import add
from pathlib import Path

from harness.base.disk import write_whole
from harness.jobs.coverage.layout import Layout
from harness.observe.memory import Memory, Symbols, locate

Counts = tuple[int, ...]
"""One number for each counter, in the order of :attr:`Layout.counters`."""

COUNTER_SIZE = 8
"""Bytes of a ``gcov_type`` of a 64-bit kernel (Linux 6.12, kernel/gcov/gcov.h)."""


def read_counts(memory: Memory, symbols: Symbols, layout: Layout) -> Counts:
    """Read every counter of a guest.

    Raises AddressError if the guest's kernel has not begun to run, QemuError if QEMU has died.
    """
    image = locate(memory, symbols)
    values: list[int] = []
    for group in layout.counters:
        data = memory.read(image.to_phys(group.address), group.length * COUNTER_SIZE)
        values += struct.unpack(f"<{group.length}Q", data)
    return tuple(values)


def total(every: Iterable[Counts], layout: Layout) -> Counts:
    """Add up counts counter by counter."""
    result: Sequence[int] = [0] * sum(group.length for group in layout.counters)
    for counts in every:
        result = list(map(add, result, counts))
    return tuple(result)


def save_counts(counts: Counts, path: Path) -> None:
    """Write *counts* to *path*, whole or not at all; many workers write those of a parked guest."""
    write_whole(path, json.dumps(counts))


def load_counts(directory: Path) -> Iterable[Counts]:
    """Read all counts that were saved in *directory*."""
    for path in sorted(directory.rglob("*.json")):
        yield tuple(json.loads(path.read_text()))
