# SPDX-License-Identifier: Apache-2.0
"""Entries of a cache, of a size and an age."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from harness.base.cache import Cache
from harness.base.cache.inventory import take_inventory
from harness.base.cache.layout import KERNEL
from harness.base.cache.lease import leases
from harness.base.cache.usage import Usage
from harness.base.space import KIB

DAY = 24 * 3600.0
"""In seconds."""


def filled(size: int, kernel: str = "") -> Callable[[Path], None]:
    """Fill an entry with *size* bytes."""

    def fill(directory: Path) -> None:
        (directory / "data").write_bytes(os.urandom(size))
        if kernel:
            (directory / KERNEL).write_text(kernel)

    return fill


def add(kind: str, key: str, size: int = 100 * KIB, age: float = 0, kernel: str = "") -> Path:
    """An entry that was used *age* seconds ago, and that nobody uses now."""
    with leases():
        entry = Cache(kind).get(key, filled(size, kernel))
    os.utime(entry, (time.time() - age,) * 2)
    return entry


def held() -> int:
    """The disk space of the cache in bytes."""
    return take_inventory(Usage()).total
