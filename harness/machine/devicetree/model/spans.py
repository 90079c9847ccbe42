# SPDX-License-Identifier: Apache-2.0
"""A set of addresses as disjoint ranges, to add to, cut and ask in logarithmic time."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from harness.base.address_range import AddressRange


class Spans:
    """Addresses as ascending ranges that neither overlap nor touch."""

    def __init__(self, ranges: Iterable[AddressRange] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for base, end in sorted((one.base, one.end) for one in ranges if one.size > 0):
            if self._ends and base <= self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(base)
                self._ends.append(end)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def ranges(self) -> list[AddressRange]:
        """The ranges, ascending."""
        return [
            AddressRange(base, end - base)
            for base, end in zip(self._starts, self._ends, strict=True)
        ]

    def add(self, one: AddressRange) -> None:
        """Add the addresses of *one*."""
        if one.size > 0:
            first, last = bisect_left(self._ends, one.base), bisect_right(self._starts, one.end)
            base = min([one.base, *self._starts[first : first + 1]]) if first < last else one.base
            end = max([one.end, *self._ends[last - 1 : last]]) if first < last else one.end
            self._starts[first:last], self._ends[first:last] = [base], [end]

    def cut(self, one: AddressRange) -> None:
        """Remove the addresses of *one*."""
        if not self.overlaps(one):
            return
        first, last = bisect_right(self._ends, one.base), bisect_left(self._starts, one.end)
        before, after = self._starts[first], self._ends[last - 1]
        starts = [before] if before < one.base else []
        ends = [one.base] if before < one.base else []
        if after > one.end:
            starts.append(one.end)
            ends.append(after)
        self._starts[first:last], self._ends[first:last] = starts, ends

    def overlaps(self, one: AddressRange) -> bool:
        """Whether an address of *one* is in the set."""
        at = bisect_right(self._ends, one.base)
        return one.size > 0 and at < len(self._starts) and self._starts[at] < one.end

    def covers(self, one: AddressRange) -> bool:
        """Whether all addresses of *one* are in the set."""
        at = bisect_right(self._starts, one.base) - 1
        return one.size <= 0 or (at >= 0 and one.end <= self._ends[at])

    def without(self, other: "Spans") -> "Spans":
        """The addresses that *other* lacks."""
        left = Spans()
        at, holes = 0, other
        for start, end in zip(self._starts, self._ends, strict=True):
            base = start
            while at < len(holes._starts) and holes._ends[at] <= base:
                at += 1
            here = at
            while here < len(holes._starts) and holes._starts[here] < end:
                if holes._starts[here] > base:
                    left._starts.append(base)
                    left._ends.append(holes._starts[here])
                base = max(base, holes._ends[here])
                here += 1
            if base < end:
                left._starts.append(base)
                left._ends.append(end)
        return left

    def within(self, other: "Spans") -> "Spans":
        """The addresses that *other* has too."""
        return self.without(self.without(other))

    def whole_steps(self, step: int) -> "Spans":
        """The multiples of *step* bytes of which every byte is in the set."""
        return Spans(
            AddressRange(base, end // step * step - base)
            for start, end in zip(self._starts, self._ends, strict=True)
            if (base := -(-start // step) * step) < end
        )
