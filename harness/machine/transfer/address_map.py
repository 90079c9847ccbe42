# SPDX-License-Identifier: Apache-2.0
"""Where the reserved memory of a board lies on QEMU's machine, whose RAM begins at 1 GiB.

Regions that overlap, or nearly touch, move together. What can stay stays; the rest moves with its
bank of RAM, or to the first free place. An address changes by a multiple of 4 MiB, so that every
alignment up to that is kept, and does not cross 4 GiB, so that a mask of 32 bits reaches what it
reached. A region outside the RAM of the board is outside the RAM of the machine.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.base.space import GIB, KIB, MIB
from harness.machine.devicetree import BootPayload
from harness.machine.devicetree.model.spans import Spans
from harness.machine.fence.fence import SCRATCH
from harness.machine.fence.smmu import EVENTS
from harness.machine.layout import LARGEST_RAM, RAM_BASE

SMALLEST_RAM, RAM_STEP = 512 * MIB, 256 * MIB
"""Bytes of RAM of the machine: what it has at least, and what it is rounded to."""

KERNELS_OWN = 192 * MIB
"""Bytes that the kernel must have beside all regions."""

STEP = 4 * MIB
"""A multiple of a slot set, of a page of any size, and of the alignment of CMA with 4 KiB pages."""

NEAR = 64 * KIB
"""Regions that are not farther apart may share a page."""

REACH, U64 = 1 << 32, 1 << 64
"""The ends of what masks of 32 and of 64 bits reach."""


class InRam(Enum):
    """How a cluster lies to the board's RAM."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    EDGE = "partly inside"


@dataclass(frozen=True, repr=False)
class Moved(AddressRange):
    """A range of the board, and the base that it has on the machine."""

    new_base: int

    @property
    def delta(self) -> int:
        """What is added to an address."""
        return self.new_base - self.base

    @property
    def place(self) -> AddressRange:
        """The range on the machine."""
        return AddressRange(self.new_base, self.size)


@dataclass(frozen=True)
class AddressMap:
    """Clusters of the board's reserved memory, ascending, and where they are on the machine.

    *ram_size* in bytes. *crossed* are those that lie on the other side of 4 GiB than on the board.
    *banks* are the board's RAM.
    """

    ram_size: int
    moved: tuple[Moved, ...]
    crossed: tuple[Moved, ...] = ()
    banks: tuple[AddressRange, ...] = ()

    def moved_range(self, one: AddressRange) -> AddressRange:
        """The place of *one* on the machine; what is in no cluster follows the nearest."""
        return AddressRange(one.base + self._delta(one), one.size)

    def moved_window(self, window: AddressRange) -> tuple[Moved, ...]:
        """The parts of *window*, of memory that a device reaches, and where they are.

        It stays whole if all that lies in it moves by the same number, or if nothing does.
        """
        inside = [one for one in self.moved if one.overlaps(window)]
        if len({one.delta for one in inside}) <= 1:
            return (Moved(window.base, window.size, window.base + self._delta(window)),)
        parts = []
        for one in inside:
            base, end = max(one.base, window.base), min(one.end, window.end)
            parts.append(Moved(base, end - base, base + one.delta))
        return tuple(parts)

    def moved_choice(self, one: AddressRange, size: int) -> AddressRange:
        """The place of *one*, a range in which the kernel shall find room for *size* bytes.

        It stays if the machine has as much RAM there, else it moves with its bank.
        """
        ram = AddressRange(RAM_BASE, self.ram_size)
        free = Spans([ram]).without(Spans([*taken(ram), *(moved.place for moved in self.moved)]))
        for span in free.ranges():
            if min(span.end, one.end) - max(span.base, one.base) >= size:
                return one
        bank = next((bank for bank in self.banks if bank.overlaps(one)), one)
        return AddressRange(one.base + (RAM_BASE - bank.base) // STEP * STEP, one.size)

    def _delta(self, one: AddressRange) -> int:
        nearest = min(self.moved, key=lambda other: _distance(one, other), default=None)
        return nearest.delta if nearest else 0


def map_addresses(
    entries: Iterable[AddressRange],
    banks: Sequence[AddressRange],
    ram_size: int | None,
    dynamic: int = 0,
) -> AddressMap:
    """Place all *entries* of a board with *banks* of RAM on a machine with *ram_size* bytes.

    Without a size the machine has as much as the entries need to stay where they are, or at least
    to fit. *banks* are empty if the board does not say. *dynamic* is how many bytes the kernel
    shall place itself. Raises InputError if there is no room.
    """
    clusters = _clusters(entries)
    left = KERNELS_OWN + dynamic
    if ram_size is not None:
        found = _Placing(clusters, banks, ram_size, left).place()
        if found is None:
            where = f"a machine with {ram_size // MIB} MiB of RAM"
            raise InputError(_no_room(clusters, where, dynamic))
        return found
    size = _wanted_ram([one for one in clusters if _kind(one, banks) is InRam.INSIDE])
    best = None
    while size <= LARGEST_RAM:
        found = _Placing(clusters, banks, size, left).place()
        if found is not None and not found.crossed:
            return found
        best = best or found
        size += RAM_STEP
    if best is None:
        where = f"{LARGEST_RAM // GIB} GiB, the largest machine"
        raise InputError(_no_room(clusters, where, dynamic))
    return best


def taken(ram: AddressRange) -> tuple[AddressRange, ...]:
    """What QEMU loads into *ram*, and what the harness keeps for itself."""
    return (*BootPayload().loaded(ram), SCRATCH, EVENTS)


def _no_room(clusters: Sequence[AddressRange], where: str, dynamic: int) -> str:
    total = sum(one.size for one in clusters) + dynamic
    return (
        f"the board's reserved memory, {-(-total // MIB)} MiB in {len(clusters)} places, does not "
        f"fit into {where}: the kernel itself needs {KERNELS_OWN // MIB} MiB. Give more with "
        f"--machine-memory, up to {LARGEST_RAM // GIB}G, or reduce the board's regions."
    )


def _clusters(entries: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    found: list[AddressRange] = []
    for one in sorted((one for one in entries if one.size), key=lambda one: one.base):
        if found and one.base <= found[-1].end + NEAR:
            last = found.pop()
            found.append(AddressRange(last.base, max(last.end, one.end) - last.base))
        else:
            found.append(AddressRange(one.base, one.size))
    return tuple(found)


def _wanted_ram(clusters: Sequence[AddressRange]) -> int:
    """The RAM with which all clusters can stay that any machine has."""
    most = AddressRange(RAM_BASE, LARGEST_RAM)
    ends = [one.end - RAM_BASE for one in clusters if most.contains(one.base, one.size)]
    wanted = max([SMALLEST_RAM, *ends])
    return -(-wanted // RAM_STEP) * RAM_STEP


def _kind(one: AddressRange, banks: Sequence[AddressRange]) -> InRam:
    """How a cluster lies to RAM; a board that does not say where RAM is has it everywhere."""
    ram = Spans(banks)
    if not ram or ram.covers(one):
        return InRam.INSIDE
    return InRam.EDGE if ram.overlaps(one) else InRam.OUTSIDE


def _distance(one: AddressRange, other: AddressRange) -> int:
    return max(0, one.base - other.end, other.base - one.end)


def _side(one: AddressRange) -> bool | None:
    """Whether all of *one* is above 4 GiB; None if it crosses that border."""
    return None if one.base < REACH < one.end else one.base >= REACH


class _Placing:
    """Places clusters on one machine, of whose RAM *left* bytes must be left."""

    def __init__(
        self,
        clusters: Sequence[AddressRange],
        banks: Sequence[AddressRange],
        ram_size: int,
        left: int,
    ) -> None:
        self._clusters, self._banks, self._left = clusters, banks, left
        self._ram = AddressRange(RAM_BASE, ram_size)
        self._taken = Spans(taken(self._ram))
        self._behind = self._ram.end

    def place(self) -> AddressMap | None:
        """Where all clusters are; None if there is no room."""
        kinds = {one: _kind(one, self._banks) for one in self._clusters}
        new = {one: self._edge(one) for one in self._clusters if kinds[one] is InRam.EDGE}
        for one, base in new.items():
            self._taken.add(AddressRange(base, one.size))
        inside = [one for one in self._clusters if kinds[one] is InRam.INSIDE]
        if sum(one.size for one in inside) + self._left > self._ram.size:
            return None
        for way in (self._same, self._with_its_bank, self._first_free, self._across):
            new |= self._try(way, [one for one in inside if one not in new])
        if any(one not in new for one in inside):
            return None
        for one in self._clusters:
            if kinds[one] is InRam.OUTSIDE:
                new[one] = self._outside(one)
        moved = tuple(Moved(one.base, one.size, new[one]) for one in self._clusters)
        crossed = tuple(one for one in moved if _side(one) not in (None, _side(one.place)))
        return AddressMap(self._ram.size, moved, crossed, tuple(self._banks))

    def _try(
        self, way: Callable[[AddressRange], int | None], left: Iterable[AddressRange]
    ) -> dict[AddressRange, int]:
        found = {}
        for one in left:
            base = way(one)
            if base is not None:
                found[one] = base
                self._taken.add(AddressRange(base, one.size))
        return found

    def _fits(self, one: AddressRange, base: int) -> bool:
        place = AddressRange(base, one.size)
        return (
            self._ram.contains(base, one.size)
            and not self._taken.overlaps(place)
            and _side(one) in (None, _side(place))
        )

    def _same(self, one: AddressRange) -> int | None:
        return one.base if self._fits(one, one.base) else None

    def _with_its_bank(self, one: AddressRange) -> int | None:
        for bank in self._banks:
            if bank.contains(one.base, one.size):
                base = one.base + (RAM_BASE - bank.base) // STEP * STEP
                return base if self._fits(one, base) else None
        return None

    def _first_free(self, one: AddressRange) -> int | None:
        return self._search(one, REACH if _side(one) else 0, U64 if _side(one) else REACH)

    def _across(self, one: AddressRange) -> int | None:
        return self._search(one, 0, U64)

    def _search(self, one: AddressRange, start: int, end: int) -> int | None:
        for free in Spans([self._ram]).without(self._taken).ranges():
            base = _step_up(one.base, max(free.base, start))
            if base + one.size <= min(free.end, end):
                return base
        return None

    def _edge(self, one: AddressRange) -> int:
        """Where a cluster lies over the same end of RAM as on the board."""
        for bank in self._banks:
            if bank.overlaps(one) and one.end > bank.end:
                return one.base + self._ram.end - bank.end
        bank = next(bank for bank in self._banks if bank.overlaps(one))
        return one.base + RAM_BASE - bank.base

    def _outside(self, one: AddressRange) -> int:
        if not self._ram.overlaps(one):
            return one.base
        base = _step_up(one.base, self._behind)
        self._behind = base + one.size
        return base


def _step_up(base: int, start: int) -> int:
    """The first address from *start* on that *base* reaches in steps of STEP."""
    return start + (base - start) % STEP
