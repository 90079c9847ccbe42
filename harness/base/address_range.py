# SPDX-License-Identifier: Apache-2.0
"""AddressRange, a base and a size: the base class of pools, RAM blocks and BARs."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from harness.base.hex_repr import shown


@dataclass(frozen=True, repr=False)
class AddressRange:
    """The bytes ``[base, base + size)`` of an address space, guest-physical unless said otherwise.

    A subclass adds fields; it is declared with ``repr=False`` too, to keep the repr in hex.
    """

    base: int
    size: int

    @property
    def end(self) -> int:
        """The first address after the range."""
        return self.base + self.size

    def contains(self, address: int, size: int = 1) -> bool:
        """Whether all *size* bytes from *address* on lie inside."""
        return self.base <= address and address + size <= self.end

    def overlaps(self, other: "AddressRange") -> bool:
        """Whether at least one byte is in both ranges."""
        return max(self.base, other.base) < min(self.end, other.end)

    def __str__(self) -> str:
        return f"[{self.base:#x}, {self.end:#x})"

    def __repr__(self) -> str:
        words = AddressRange.__str__(self)
        rest = [one for one in fields(self)[2:] if one.repr]
        more = [f"{one.name}={shown(one.name, getattr(self, one.name))}" for one in rest]
        return f"{type(self).__name__}({', '.join([words, *more])})" if more else words


def joined(ranges: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    """The same bytes in ascending order, ranges that touch joined to one; none may overlap."""
    found: list[AddressRange] = []
    for one in sorted(ranges, key=lambda one: one.base):
        if found and found[-1].end == one.base:
            found[-1] = AddressRange(found[-1].base, found[-1].size + one.size)
        else:
            found.append(one)
    return tuple(found)
