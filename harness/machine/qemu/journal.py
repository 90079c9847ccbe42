# SPDX-License-Identifier: Apache-2.0
"""The last actions of a guest's drivers and devices, a line each, for the report of a failure."""

from collections import deque
from collections.abc import Iterator
from itertools import groupby

KEPT = 12
"""Lines in the report of a failure."""

REMEMBERED = 16 * KEPT
"""Lines kept before repeated lines are merged."""


class Journal:
    """The last lines; the clients of the probe and of rogue devices add them."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=REMEMBERED)

    def append(self, line: str) -> None:
        """Add a line, the newest."""
        self._lines.append(line)

    def last(self, kept: int = KEPT) -> tuple[str, ...]:
        """The last lines, oldest first; a repeated line appears once, with the count."""
        counted = [(line, sum(1 for _ in same)) for line, same in groupby(self._lines)]
        return tuple(
            line if count == 1 else f"{line}  [{count} times]" for line, count in counted[-kept:]
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __bool__(self) -> bool:
        return bool(self._lines)
