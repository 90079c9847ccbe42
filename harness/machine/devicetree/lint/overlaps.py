# SPDX-License-Identifier: Apache-2.0
"""Find a range that overlaps another, among many."""

from bisect import bisect_left
from collections.abc import Iterable

from harness.base.address_range import AddressRange
from harness.machine.devicetree.flat import FlatNode
from harness.machine.devicetree.region import Region


class Overlaps:
    """Named ranges, each of a node or of none."""

    def __init__(self, ranges: Iterable[tuple[Region, FlatNode | None]]) -> None:
        rows = [row for row in ranges if row[0].size]
        self._rows = sorted(rows, key=lambda row: (row[0].base, row[0].end))
        self._starts = [row[0].base for row in self._rows]
        self._longest: list[tuple[int, int]] = []
        """For each row: the two rows, of different nodes, up to it that end last."""
        best, second = -1, -1
        for at, (one, node) in enumerate(self._rows):
            if best < 0 or one.end > self._rows[best][0].end:
                if best >= 0 and (self._rows[best][1] is not node or node is None):
                    second = best
                best = at
            elif (self._rows[best][1] is not node or node is None) and (
                second < 0 or one.end > self._rows[second][0].end
            ):
                second = at
            self._longest.append((best, second))

    def over(self, used: AddressRange, own: FlatNode) -> Region | None:
        """A range that is not of node *own* and overlaps *used*; None if there is none."""
        last = bisect_left(self._starts, used.end) - 1
        if last < 0 or not used.size:
            return None
        for at in self._longest[last]:
            if at >= 0 and self._rows[at][1] is not own and self._rows[at][0].overlaps(used):
                return self._rows[at][0]
        return None
