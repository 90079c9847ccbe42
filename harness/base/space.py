# SPDX-License-Identifier: Apache-2.0
"""Check for free disk space before a step that needs it."""

import shutil
from pathlib import Path

from harness.base.errors import HostError

MIB = 1 << 20
"""Bytes in a MiB."""


def free_space(place: Path) -> int:
    """Bytes that this user may still write to the file system of *place*."""
    return shutil.disk_usage(place).free


def require_space(place: Path, size: int, purpose: str) -> None:
    """Raise HostError unless *size* bytes are free where *place* lies."""
    free = free_space(place)
    if free < size:
        raise HostError(
            f"{purpose} needs {size // MIB} MiB on the file system of {place}, and "
            f"{free // MIB} MiB are free. Free some space ('harness kernel prune' removes old "
            "kernels and build trees), or set HARNESS_CACHE to a directory on a larger disk."
        )
