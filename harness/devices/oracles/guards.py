# SPDX-License-Identifier: Apache-2.0
"""Oracle: nothing beside a CPU's buffer is copied into a pool, and nothing is written there."""

from collections.abc import Iterable, Iterator, Sequence

from harness.base.violation import Violation
from harness.devices.oracles.canary import Planted, changed
from harness.devices.probe import Held, Space
from harness.devices.probe.wire import GUARD_WORD
from harness.observe.memory import Memory, PoolState, find

WORD = GUARD_WORD.to_bytes(4, "little")

SHOWN = 16
"""Bytes of a damaged guard that a violation shows."""


def damaged_guards(memory: Memory, held: Iterable[Held]) -> Iterator[Violation]:
    """Guards of buffers that do not hold what the probe put there."""
    for guard in (one for one in held if one.space is Space.BUFFER):
        content = memory.read(guard.phys, guard.size)
        wanted = (WORD * (guard.size // len(WORD) + 1))[: guard.size]
        if content != wanted:
            at = next(i for i in range(guard.size) if content[i] != wanted[i])
            found = content[at : at + SHOWN].hex(" ")
            where = f"{guard.phys + at:#x}, {at} bytes into a guard of {guard.size}"
            text = f"bytes beside a mapped buffer were overwritten: {found} at {where}"
            yield Violation(("B5", "C3"), text)


def neighbours_in_pools(
    memory: Memory, pools: Iterable[PoolState], planted: Sequence[Planted]
) -> Iterator[Violation]:
    """Bytes of guards in the memory of *pools*, where a device could read them."""
    used = [span for pool in pools for span in changed(memory, pool, planted)]
    for phys in find(memory, WORD, used):
        text = f"bytes from beside a mapped buffer are in the pool, at {phys:#x}"
        yield Violation(("B6", "C3"), text)
        return
