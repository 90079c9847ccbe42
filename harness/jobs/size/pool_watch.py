# SPDX-License-Identifier: Apache-2.0
"""Watch a pool from outside: how many slots are in use, by which mappings, and who made them."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from threading import Lock

from harness.base.errors import HarnessError
from harness.jobs.check.answers import DmaCall
from harness.jobs.size.answers import Holder
from harness.kernel import SLOT
from harness.observe.memory import KernelTypes, PoolState, Slot, as_now, slot_runs, slots_in_use

MAPS = "dma_map_"
"""The trace events of streaming mappings (include/trace/events/dma.h)."""

SHOWN = 3
"""Functions by which callers are told apart."""


Runs = tuple[tuple[Slot, ...], ...]
"""The slots of each mapping."""


class PoolWatch:
    """Samples of *pool*, taken from a guest's memory; each holds *reading* meanwhile.

    *peak* is the largest number of slots in use in a sample, *runs* are the mappings of that
    sample, *largest* is the size in bytes of the largest mapping of all samples. *refused* are the
    mappings at the first refusal.
    """

    def __init__(self, types: KernelTypes, pool: PoolState, reading: Lock) -> None:
        self._types, self._pool, self._reading = types, pool, reading
        self.peak = 0
        self.largest = 0
        self.runs: Runs = ()
        self.refused: Runs | None = None

    def sample(self) -> int:
        """Look at the pool: how many slots are in use."""
        with self._reading:
            used = slots_in_use(self._types, self._pool)
        runs = tuple(slot_runs(used))
        streaming = (run[0].alloc_size for run in runs if run[0].orig_addr is not None)
        self.largest = max([self.largest, *streaming])
        if len(used) > self.peak:
            self.peak, self.runs = len(used), runs
        return len(used)

    def sample_refusal(self) -> None:
        """Look at the pool while the kernel refuses a mapping."""
        with self._reading:
            used = slots_in_use(self._types, self._pool)
        self.refused = tuple(slot_runs(used))

    def agreed(self) -> int | None:
        """The kernel's count of the most slots in use at once; None if it does not count.

        For a guest that has nothing to do. Raises HarnessError when the kernel's counts of the
        slots in use now contradict each other, or that one is below what was seen.
        """
        with self._reading:
            used = len(slots_in_use(self._types, self._pool))
            state = as_now(self._types, self._pool)
        counts = {used, state.used, *({state.counted} - {None})}
        if len(counts) > 1 or (state.hiwater is not None and state.hiwater < self.peak):
            raise HarnessError(
                f"the kernel's counts of the slots in use of {self._pool.name} differ: its table "
                f"has {used}, its areas {state.used}, debugfs {state.counted}, at most "
                f"{state.hiwater}; seen were {self.peak}. Its structures changed while they were "
                "read; run the command again"
            )
        return state.hiwater

    def high_water(self) -> int | None:
        """The same count, of a guest that may be busy."""
        with self._reading:
            return as_now(self._types, self._pool).hiwater


def holders_of(runs: Iterable[Sequence[Slot]], calls: Sequence[DmaCall]) -> tuple[Holder, ...]:
    """Who holds the slots of *runs*, by the last of *calls* that gave each; most slots first."""
    last: dict[int, DmaCall] = {call.base // SLOT: call for call in calls}
    found: dict[tuple[tuple[str, ...], str, bool], list[int]] = defaultdict(list)
    for run in runs:
        call = next((last[at] for at in _indices(run) if at in last), None)
        coherent = run[0].orig_addr is None
        key = (call.frames[:SHOWN], call.event, coherent) if call else ((), "", coherent)
        found[key].append(len(run))
    holders = (Holder(*key, len(sizes), sum(sizes)) for key, sizes in found.items())
    return tuple(sorted(holders, key=lambda one: (-one.slots, one.callers, one.call)))


def largest_mapping(calls: Iterable[DmaCall]) -> int:
    """Bytes of the largest streaming mapping among *calls*, if any."""
    return max((call.size for call in calls if call.event.startswith(MAPS)), default=0)


def _indices(run: Sequence[Slot]) -> range:
    """The numbers of the run's slots, counted from address 0: a DMA address lies in one."""
    first = run[0].phys // SLOT
    return range(first, first + len(run))
