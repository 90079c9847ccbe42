# SPDX-License-Identifier: Apache-2.0
"""A pool as a map of its slots in letters: who holds them, in which direction, since when."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from harness.kernel import SLOT
from harness.observe.memory import Slot

FREE, COHERENT, UNKNOWN, ROGUE = ".", "c", "?", "X"
"""A free slot, a coherent buffer, a mapping of another driver, an access of a rogue just now."""

DIRECTIONS = {"TO_DEVICE": "t", "FROM_DEVICE": "f", "BIDIRECTIONAL": "b"}

LEGEND = ". free  t to device  f from device  b both  c coherent  ? other driver  X rogue"
"""Upper case: held for less than NEW seconds."""

NEW = 2.0
"""Seconds for which a slot counts as new."""

FLASH = 1.0
"""Seconds for which a rogue's access shows."""

_MAPPED = re.compile(rf"dma_map_\w+\(.*DMA_({'|'.join(DIRECTIONS)})\b.* = (0x[0-9a-f]+)$")


@dataclass
class SlotAges:
    """Since when each slot in use has been seen in use, and when a rogue accessed it."""

    since: dict[int, float] = field(default_factory=dict)
    accessed: dict[int, float] = field(default_factory=dict)

    def update(self, used: Iterable[Slot], now: float) -> None:
        """Note which slots are in use at *now*, in seconds."""
        indices = {slot.index for slot in used}
        self.since = {index: self.since.get(index, now) for index in indices}

    def access(self, offset: int, size: int, now: float) -> None:
        """Note that a rogue accesses *size* bytes from *offset* into the pool."""
        for index in range(max(0, offset) // SLOT, -(-(offset + size) // SLOT)):
            self.accessed[index] = now


def directions(calls: Iterable[str]) -> Mapping[int, str]:
    """The letter of the last mapping at each DMA address, from the driver's *calls*."""
    found = (match for call in calls if (match := _MAPPED.search(call)))
    return {int(one[2], 16): DIRECTIONS[one[1]] for one in found}


def slot_letters(
    used: Iterable[Slot], letters: Mapping[int, str], ages: SlotAges, now: float
) -> dict[int, str]:
    """The letter of each slot that is in use or was just accessed, by its index."""
    found: dict[int, str] = {}
    letter, end = UNKNOWN, 0
    for slot in used:
        if slot.phys in letters:
            letter, end = letters[slot.phys], slot.phys + slot.alloc_size
        elif slot.phys >= end:
            letter = COHERENT if slot.orig_addr is None else UNKNOWN
        new = now - ages.since.get(slot.index, now) < NEW
        found[slot.index] = letter.upper() if new and letter != UNKNOWN else letter
    recent = (index for index, at in ages.accessed.items() if now - at < FLASH)
    return found | dict.fromkeys(recent, ROGUE)


def pool_map(letters: Mapping[int, str], nslabs: int, width: int, rows: int) -> list[str]:
    """Lines of at most *width* letters, at most *rows*: each letter stands for some slots.

    Of several slots the busiest shows: a rogue's access, then a new slot, then any in use.
    """
    each = max(1, -(-nslabs // (width * rows)))
    cells = [FREE] * -(-nslabs // each)
    for index, letter in sorted(letters.items(), key=lambda item: _rank(item[1])):
        if index < nslabs:
            cells[index // each] = letter
    text = "".join(cells)
    return [text[at : at + width] for at in range(0, len(text), width)]


def _rank(letter: str) -> int:
    return 2 if letter == ROGUE else int(letter.isupper())
