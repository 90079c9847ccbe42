# SPDX-License-Identifier: Apache-2.0
"""Sizes of memory and disk space, and a check for free space before a step that needs it."""

import re
import shutil
from pathlib import Path

from harness.base.errors import HostError

KIB, MIB, GIB, TIB = 1 << 10, 1 << 20, 1 << 30, 1 << 40
"""Bytes in a KiB, MiB, GiB and TiB."""

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?) ?(?:([KMGT])(?:IB|B)?)?")
_UNITS = {"K": KIB, "M": MIB, "G": GIB, "T": TIB}


def parse_size(text: str, bare: int = 1) -> int | None:
    """Read a size such as ``8G``, ``1.5 GiB`` or ``500M``; None if *text* is not a size.

    The result is in bytes; a number without a unit counts units of *bare* bytes.
    """
    found = _SIZE.fullmatch(text.strip().upper())
    return int(float(found[1]) * (_UNITS[found[2]] if found[2] else bare)) if found else None


def size_text(size: int) -> str:
    """*size* bytes as a person reads them: ``8.0 GiB``, ``43 MiB``, ``12 KiB``, ``64 B``."""
    if size >= GIB:
        return f"{size / GIB:.1f} GiB"
    if 0 < size < KIB:
        return f"{size} B"
    return f"{size // MIB} MiB" if size >= MIB else f"{-(-size // KIB)} KiB"


def free_space(place: Path) -> int:
    """Bytes that this user may still write to the file system of *place*."""
    return shutil.disk_usage(place).free


def require_space(place: Path, size: int, purpose: str) -> None:
    """Raise HostError unless *size* bytes are free where *place* lies."""
    free = free_space(place)
    if free < size:
        raise HostError(
            f"{purpose} needs {size // MIB} MiB on the file system of {place}, and "
            f"{free // MIB} MiB are free. Free some space ('harness cache prune --to SIZE' "
            "shrinks the cache), or set HARNESS_CACHE to a directory on a larger disk."
        )
