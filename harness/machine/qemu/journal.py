# SPDX-License-Identifier: Apache-2.0
"""What drivers and devices of a guest did last, a line each, for the report of a failure."""

from collections import deque
from collections.abc import Iterator
from itertools import groupby

KEPT = 12
"""Lines that a failure shows."""

REMEMBERED = 16 * KEPT
"""Lines that are kept before equal neighbours become one."""


class Journal:
    """The last lines; they are noted by those who have a guest's drivers and devices do things."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=REMEMBERED)

    def append(self, line: str) -> None:
        """Add a line, the newest."""
        self._lines.append(line)

    def last(self, kept: int = KEPT) -> tuple[str, ...]:
        """The last lines, oldest first; a line that was repeated stands once, with its number."""
        counted = [(line, sum(1 for _ in same)) for line, same in groupby(self._lines)]
        return tuple(
            line if count == 1 else f"{line}  [{count} times]" for line, count in counted[-kept:]
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __bool__(self) -> bool:
        return bool(self._lines)
