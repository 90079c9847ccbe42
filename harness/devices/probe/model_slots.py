# SPDX-License-Identifier: Apache-2.0
"""The slots of the reference model: which are taken, and where a mapping or allocation fits.

A restricted pool is a row of 2 KiB slots from its base on, in sets of the kernel's number; what is
mapped or allocated takes neighbouring slots of one set (Documentation/core-api/swiotlb.rst, 6.12).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from harness.base.hex_repr import hex_repr
from harness.base.violation import violated
from harness.kernel import SLOT, Geometry


@hex_repr
@dataclass(frozen=True)
class AddressRules:
    """What a device asks of addresses: both are masks of low bits, *seg_boundary* at least 4095."""

    min_align_mask: int = 0
    seg_boundary: int = 0xFFFF_FFFF


@dataclass(frozen=True)
class Demand:
    """What one mapping or allocation needs: *length* bytes, *offset* bytes into its first slot.

    The address of the first slot must be *phase* in the bits of *align_mask*, and no slot may lie
    on the other side of a multiple of *boundary* + 1. The ids are those of the properties that an
    address elsewhere breaks: outside the pool, aligned wrongly.
    """

    what: str
    length: int
    offset: int
    align_mask: int
    phase: int
    boundary: int
    inside_id: str
    aligned_id: str

    @property
    def nslots(self) -> int:
        """The slots it takes."""
        return -(-(self.offset + self.length) // SLOT)

    def aligned(self, addr: int) -> bool:
        """Whether its first slot may begin at *addr*."""
        return addr & self.align_mask == self.phase

    def within_boundary(self, addr: int) -> bool:
        """Whether slots from *addr* on lie between two boundaries."""
        last = addr + self.nslots * SLOT - 1
        return addr & ~self.boundary == last & ~self.boundary


def streaming(phys: int, size: int, rules: AddressRules, page: int) -> Demand:
    """What a mapping of *size* bytes at *phys* needs (B8, B9, B10); *page* in bytes."""
    mask = rules.min_align_mask
    offset = phys & mask & (SLOT - 1)
    slot_mask = mask & ~(SLOT - 1)
    page_aligned = mask == 0 and size >= page
    return Demand(
        what=f"a mapping of {size} bytes at {phys:#x}",
        length=size,
        offset=offset,
        align_mask=page - 1 if page_aligned else slot_mask | (SLOT - 1),
        phase=phys & slot_mask,
        boundary=rules.seg_boundary,
        inside_id="B1",
        aligned_id="B9" if mask else "B8",
    )


def allocated(size: int, rules: AddressRules, page: int, inside_id: str = "D1") -> Demand:
    """What an allocation of *size* bytes needs: whole pages, aligned to their order (D3)."""
    pages = -(-size // page)
    return Demand(
        what=f"an allocation of {size} bytes",
        length=pages * page,
        offset=0,
        align_mask=(1 << (pages - 1).bit_length()) * page - 1,
        phase=0,
        boundary=rules.seg_boundary,
        inside_id=inside_id,
        aligned_id="D3",
    )


class Slots:
    """The slots of the pool at [*base*, *base* + *size*); an incomplete last slot is never used."""

    def __init__(self, base: int, size: int, geometry: Geometry) -> None:
        self.base = base
        self._set = geometry.slots_of_set
        self.count = size // SLOT
        self._taken = bytearray(self.count)

    @property
    def used(self) -> int:
        """How many are taken."""
        return sum(self._taken)

    def free(self, first: int, count: int) -> bool:
        """Whether all of these are free."""
        return self._taken.find(1, first, first + count) < 0

    def all_free(self) -> Iterator[int]:
        """Every slot that is free."""
        return (slot for slot, taken in enumerate(self._taken) if not taken)

    def take(self, demand: Demand, addr: int) -> range:
        """Take the slots for what was given *addr*; raises PropertyViolated where it may not be."""
        start = addr - demand.offset
        first = (start - self.base) // SLOT
        slots = range(first, first + demand.nslots)
        if addr < self.base or slots.stop > self.count:
            raise violated(f"{demand.what} lies at {addr:#x}, outside", demand.inside_id)
        if not demand.aligned(start):
            wanted = f"{demand.phase + demand.offset:#x} in the bits {demand.align_mask:#x}"
            told = f"{demand.what} lies at {addr:#x} and must be {wanted}"
            raise violated(told, demand.aligned_id)
        if not demand.within_boundary(start):
            told = f"{demand.what} lies at {addr:#x}, across a boundary of {demand.boundary:#x}"
            raise violated(told, "B10")
        if not self.free(first, demand.nslots):
            raise violated(f"{demand.what} lies at {addr:#x}, in slots that are taken", "B7")
        self._taken[first : slots.stop] = b"\1" * demand.nslots
        return slots

    def give_back(self, slots: range) -> None:
        """These are free from now on."""
        self._taken[slots.start : slots.stop] = bytes(len(slots))

    def refuse(self, demands: Sequence[Demand]) -> None:
        """Accept that there was no room for *demands*, made one after the other until one failed.

        Raises PropertyViolated when there surely was.
        """
        if not all(self._surely_fits(demand, before) for before, demand in enumerate(demands)):
            return
        where = self.base + next(self._places(demands[-1])) * SLOT
        raise violated(
            f"{demands[-1].what} was refused, and fits at {where:#x}: {self.count - self.used} of "
            f"{self.count} slots are free",
            *self._refused_ids(demands[0]),
        )

    def room(self, demand: Demand) -> int | None:
        """The first slot from which on *demand* fits now; None if it fits nowhere."""
        return next(self._places(demand), None)

    def _surely_fits(self, demand: Demand, before: int) -> bool:
        """Whether *demand* fits after *before* other demands, at unknown slots, were met.

        Each of those lies in one set, so there is room in another if enough sets have it.
        """
        places = self._places(demand)
        if before:
            places = iter({place // self._set for place in places})
        enough = 1 + before + self._may_be_missed(demand)
        return len(list(islice(places, enough))) == enough

    def _may_be_missed(self, demand: Demand) -> bool:
        """Whether the kernel may overlook a place: see docs/findings.md, search-misses-slots.

        It is the one in front of the slot where the search begins. The search takes *step* slots
        at a time, and counts those beyond the end (kernel/dma/swiotlb.c:swiotlb_search_pool_area).
        """
        first, step = self._stride(demand)
        return (first - self.count) % step != 0

    def _stride(self, demand: Demand) -> tuple[int, int]:
        """The first slot with the alignment that *demand* wants, and how far apart they are."""
        step = (demand.align_mask + 1) // SLOT
        return (demand.phase - self.base) // SLOT % step, step

    def _places(self, demand: Demand) -> Iterator[int]:
        """Every slot from which on it fits."""
        first, step = self._stride(demand)
        for slot in range(first, self.count, step):
            if self._fits(demand, slot):
                yield slot

    def _fits(self, demand: Demand, first: int) -> bool:
        last = first + demand.nslots - 1
        return (
            last < self.count
            and first // self._set == last // self._set
            and self.free(first, demand.nslots)
            and demand.within_boundary(self.base + first * SLOT)
        )

    def _refused_ids(self, demand: Demand) -> Iterator[str]:
        yield "B11" if self.used == 0 and demand.inside_id == "B1" else "B13"
        if self.count % self._set:
            yield "E6"
