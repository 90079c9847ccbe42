# SPDX-License-Identifier: Apache-2.0
"""Reserved memory: named regions, restricted pools, and pools that the kernel places."""

from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.base.hex_repr import hex_repr


@dataclass(frozen=True, repr=False)
class Region(AddressRange):
    """A named range of guest-physical memory."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} {super().__str__()}"


@dataclass(frozen=True, repr=False)
class Pool(Region):
    """A restricted DMA pool at a fixed address.

    *name* is the node's, as the kernel logs it; *label* that of its overlay, or empty; *users* are
    the paths of the nodes whose ``memory-region`` refers to it.
    """

    label: str
    users: tuple[str, ...]


@dataclass(frozen=True)
class DynamicPool:
    """A restricted DMA pool that the kernel places at boot (``size`` without ``reg``).

    *size* and *alignment* in bytes; 0 means no alignment was asked for.
    """

    name: str
    size: int
    alignment: int
    label: str
    users: tuple[str, ...]

    def at(self, base: int) -> Pool:
        """The pool at *base*, the address in the kernel's log."""
        return Pool(base, self.size, self.name, self.label, self.users)


@hex_repr
@dataclass(frozen=True)
class Placement:
    """Base and size of a pool for a test, in bytes; None keeps that of the overlay."""

    base: int | None = None
    size: int | None = None
