# SPDX-License-Identifier: Apache-2.0
"""The canary of a pool: bytes in its free slots that must never be seen anywhere else.

Each eight bytes are a magic word and the number of their slot, so a stale byte tells where it is
from. Whatever the kernel copies into a slot, or zeroes there, replaces them.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.base.address_range import AddressRange
from harness.base.errors import AddressError
from harness.base.hex_repr import hex_repr
from harness.kernel import SLOT
from harness.observe.memory import LiveMemory, Memory, PoolState, Slot, find

MAGIC = bytes.fromhex("b39a57ec")
"""No word of the kernel's image, no pointer and no text."""

UNIT = struct.Struct("<4sI")
"""The magic word, and pool and slot in one number."""

SLOT_BITS = 24
"""Bits of that number for the slot; the pool's place among the planted ones is above them."""

MOST_SLOTS = (32 << 20) // SLOT
"""Slots of a pool that get a canary: the first 32 MiB. Slots are given out from the first on, and
to fill hundreds of MiB would take longer than most tests."""

BLOCK = 64 << 10
"""Bytes of a pool that are compared at once with what was planted."""


@dataclass(frozen=True)
class Planted:
    """A pool with a canary in those of its first slots that were free at the time."""

    number: int
    pool: PoolState

    @property
    def slots(self) -> int:
        """How many slots may hold a canary."""
        return min(self.pool.nslabs, MOST_SLOTS)


@hex_repr
@dataclass(frozen=True)
class Stale:
    """A unit of a canary at guest-physical *phys*, which stood in *slot* of *pool*."""

    phys: int
    pool: PoolState
    slot: int


def plant(memory: LiveMemory, number: int, pool: PoolState, in_use: Sequence[Slot]) -> Planted:
    """Fill the free slots of a *pool* of a stopped guest; *number* (0 to 255) tells pools apart."""
    planted = Planted(number, pool)
    content = _content(number, planted.slots)
    for first, end in _free_runs(planted.slots, in_use):
        begin, stop = first * SLOT, end * SLOT
        memory.write(pool.base + begin, content[begin:stop])
    return planted


def changed(memory: Memory, pool: PoolState, planted: Sequence[Planted]) -> Iterator[AddressRange]:
    """The blocks of *pool* that hold anything but the canary that was planted there."""
    content = next((_content(p.number, p.slots) for p in planted if p.pool.base == pool.base), b"")
    buffer = memoryview(bytearray(min(BLOCK, pool.size)))
    for start in range(0, pool.size, BLOCK):
        block = buffer[: pool.size - start]
        memory.read_into(pool.base + start, block)
        if not content.startswith(block, start):
            yield AddressRange(pool.base + start, len(block))


def stale(
    memory: Memory, planted: Sequence[Planted], within: Sequence[AddressRange]
) -> Iterator[Stale]:
    """Every whole unit of a canary of *planted* that lies *within* these spans of RAM."""
    for phys in find(memory, MAGIC, within):
        found = _origin(memory, planted, phys)
        if found:
            yield found


def _origin(memory: Memory, planted: Sequence[Planted], phys: int) -> Stale | None:
    """What is after a magic word says whether it is part of a canary at all."""
    try:
        _, place = UNIT.unpack(memory.read(phys, UNIT.size))
    except AddressError:
        return None  # the last bytes of RAM
    number, slot = place >> SLOT_BITS, place % (1 << SLOT_BITS)
    for one in planted:
        if one.number == number and slot < one.slots:
            return Stale(phys, one.pool, slot)
    return None


@lru_cache(maxsize=4)
def _content(number: int, slots: int) -> bytes:
    units = (UNIT.pack(MAGIC, number << SLOT_BITS | slot) for slot in range(slots))
    return b"".join(unit * (SLOT // UNIT.size) for unit in units)


def _free_runs(slots: int, in_use: Iterable[Slot]) -> Iterator[tuple[int, int]]:
    """Yield the first and the end of each run of free slots below *slots*."""
    first = 0
    for taken in (*(slot.index for slot in in_use if slot.index < slots), slots):
        if first < taken:
            yield first, taken
        first = taken + 1
