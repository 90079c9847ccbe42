# SPDX-License-Identifier: Apache-2.0
"""Read log files of any size and content as text."""

from pathlib import Path

READ_LIMIT = 8 << 20
"""Bytes read of one file; the log of a fence that refused a scan of all memory has gigabytes."""


def read_log(path: Path, limit: int = READ_LIMIT) -> str:
    """The text of *path*; if larger than *limit* bytes, its beginning, a note, and its end.

    Empty if there is no such file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= limit:
                return file.read().decode(errors="replace")
            begin = file.read(limit // 2)
            file.seek(size - limit // 2)
            end = file.read()
    except OSError:
        return ""
    gap = f"\n[{size - limit} bytes were not read here: {path.name} is too large]\n".encode()
    return (begin + gap + end).decode(errors="replace")
