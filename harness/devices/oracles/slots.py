# SPDX-License-Identifier: Apache-2.0
"""Oracle: every slot in use belongs to a mapping or allocation, and the kernel's counts are right.

A mapping or allocation holds the slots that its bytes lie in. Padding before and behind, which the
kernel adds for alignment, belongs to it too: within one allocation ``alloc_size`` falls by a slot
from slot to slot (kernel/dma/swiotlb.c:swiotlb_search_pool_area, 6.12; swiotlb_do_find_slots, 6.1).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.base.violation import Violation
from harness.devices.probe import Held, Space
from harness.kernel import SLOT
from harness.observe.memory import PoolState, Slot


@dataclass(frozen=True)
class Claim:
    """The slots from number *first* to *last* that *held* must have."""

    first: int
    last: int
    held: Held

    def __str__(self) -> str:
        return f"the probe's {self.held.space.name.lower()} at {self.held.phys:#x}"


def claims(pool: PoolState, held: Iterable[Held], page: int) -> tuple[Claim, ...]:
    """What of *held* lies in *pool*, ascending; allocations are whole pages, of *page* bytes."""
    inside = (one for one in held if pool.contains(one.phys))
    found = (_claim(pool, one, page) for one in inside if one.space is not Space.BUFFER)
    return tuple(sorted(found, key=lambda claim: claim.first))


def wrong_counts(pool: PoolState, in_use: Sequence[Slot]) -> Iterator[Violation]:
    """The kernel's own counts of slots in use, against the slots."""
    seen = f"{len(in_use)} slots of {pool.name} are in use"
    if pool.used != len(in_use):
        yield Violation(("B13",), f"{seen}, but its areas count {pool.used}")
    if pool.counted is not None and pool.counted != len(in_use):
        yield Violation(("B13", "E17"), f"{seen}, but io_tlb_used is {pool.counted}")


def wrong_holders(
    pool: PoolState, in_use: Sequence[Slot], held: Iterable[Held], page: int
) -> list[Violation]:
    """What is mapped or allocated in *pool* without slots of its own; *page* in bytes."""
    own = [claim for claim in claims(pool, held, page) if not claim.held.leaked]
    taken = {slot.index for slot in in_use}
    free = [
        Violation(("B7",), f"{claim} lies in slots of {pool.name} that count as free")
        for claim in own
        if not taken.issuperset(range(claim.first, claim.last + 1))
    ]
    shared = [
        Violation(("B7",), f"{one} and {two} share slot {two.first} of {pool.name}")
        for one, two in pairwise(own)
        if two.first <= one.last
    ]
    return free + shared


def unclaimed(
    pool: PoolState, in_use: Sequence[Slot], held: Iterable[Held], page: int
) -> tuple[Slot, ...]:
    """The slots in use that nothing *held* accounts for; *page* in bytes."""
    by_index = {slot.index: slot for slot in in_use}
    own = claims(pool, held, page)
    accounted = {index for claim in own for index in _with_padding(by_index, claim)}
    return tuple(slot for slot in in_use if slot.index not in accounted)


def leaks(pool: PoolState, unclaimed: Sequence[Slot]) -> Iterator[Violation]:
    """Slots without a holder: of a mapping if a buffer bounces there, else of an allocation."""
    bounced = [slot for slot in unclaimed if slot.orig_addr is not None]
    coherent = [slot for slot in unclaimed if slot.orig_addr is None]
    for name, slots in (("B13", bounced), ("D6", coherent)):
        if slots:
            text = f"{len(slots)} slots of {pool.name} are in use by no mapping or allocation"
            yield Violation((name,), f"{text}: {_list(slots)}")


def _claim(pool: PoolState, held: Held, page: int) -> Claim:
    pages = -(-held.size // page) * page
    size = pages if held.space is Space.ALLOCATION else held.size
    offset = held.phys - pool.base
    return Claim(offset // SLOT, (offset + size - 1) // SLOT, held)


def _with_padding(in_use: Mapping[int, Slot], claim: Claim) -> range:
    """The claim's slots, and those of the same allocation around them."""
    first, last = claim.first, claim.last
    while _same_allocation(in_use, first - 1):
        first -= 1
    while _same_allocation(in_use, last):
        last += 1
    return range(first, last + 1)


def _same_allocation(in_use: Mapping[int, Slot], index: int) -> bool:
    """Whether slot *index* and the next one were allocated together."""
    one, two = in_use.get(index), in_use.get(index + 1)
    return one is not None and two is not None and one.alloc_size - two.alloc_size == SLOT


def _list(slots: Sequence[Slot], limit: int = 8) -> str:
    shown = [_describe(slot) for slot in slots[:limit]]
    return ", ".join(shown) + (", ..." if len(slots) > limit else "")


def _describe(slot: Slot) -> str:
    return f"{slot.index}" + (f" (of {slot.orig_addr:#x})" if slot.orig_addr is not None else "")
