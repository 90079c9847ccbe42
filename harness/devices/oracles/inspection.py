# SPDX-License-Identifier: Apache-2.0
"""All oracles on one guest: what to prepare before it runs, and what to find afterwards."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.base.violation import Violation
from harness.devices.oracles.allocators import given_away, grown, worked_instead
from harness.devices.oracles.canary import Planted, plant
from harness.devices.oracles.guards import damaged_guards, neighbours_in_pools
from harness.devices.oracles.leftovers import in_new_memory, outside_pools
from harness.devices.oracles.slots import leaks, unclaimed, wrong_counts, wrong_holders
from harness.devices.oracles.users import PROBE, drivers_in
from harness.devices.probe import Held
from harness.observe.memory import (
    KernelTypes,
    LiveMemory,
    PoolState,
    ReservedRegion,
    Slot,
    default_pool,
    reserved_regions,
    restricted_pools,
    slots_in_use,
)
from harness.observe.memory.ranges import without


@dataclass(frozen=True)
class PoolLayout:
    """The pools of a guest before it runs, each with its slots in use, and the default pool."""

    pools: tuple[tuple[PoolState, tuple[Slot, ...]], ...]
    default: PoolState | None


@dataclass(frozen=True)
class Baseline:
    """State of a guest before its test; *planted* are the pools that have a canary."""

    planted: tuple[Planted, ...] = ()
    default: PoolState | None = None


NO_BASELINE = Baseline()
"""The state before the test is unknown."""


def survey(types: KernelTypes) -> PoolLayout:
    """Find the pools that a canary can be planted in: those that share no memory."""
    pools = _in_ram(types, restricted_pools(types))
    alone = [pool for pool in pools if _is_alone(pool, pools) and not any(given_away(types, pool))]
    return PoolLayout(
        tuple((pool, slots_in_use(types, pool)) for pool in alone), default_pool(types)
    )


def prepare(memory: LiveMemory, layout: PoolLayout) -> Baseline:
    """Plant the canaries in a paused guest whose pools are those of *layout*."""
    planted = [
        plant(memory, number, pool, in_use) for number, (pool, in_use) in enumerate(layout.pools)
    ]
    return Baseline(tuple(planted), layout.default)


def inspect(types: KernelTypes, held: Sequence[Held], before: Baseline) -> list[Violation]:
    """All violations in a paused guest, or in its dump, after a test.

    *held* is the probe's list of what it holds. Raises as :func:`restricted_pools`.
    """
    reserved = reserved_regions(types)
    pools = restricted_pools(types, reserved)
    return [
        *damaged_guards(types.memory, held),
        *(violation for pool in pools for violation in _restricted(types, pool, held)),
        *_default(types, held, before),
        *_contents(types, pools, reserved, held, before),
    ]


def _restricted(types: KernelTypes, pool: PoolState, held: Sequence[Held]) -> Iterator[Violation]:
    in_use = slots_in_use(types, pool)
    yield from wrong_counts(pool, in_use)
    yield from wrong_holders(pool, in_use, held, types.page_size)
    yield from _leaks(types, pool, in_use, held)
    yield from grown(pool)


def _leaks(
    types: KernelTypes, pool: PoolState, in_use: Sequence[Slot], held: Iterable[Held]
) -> Iterator[Violation]:
    """Slots without a holder, unless other drivers than the probe's use the pool."""
    alone = unclaimed(pool, in_use, held, types.page_size)
    if alone and drivers_in(types, pool.address) <= PROBE:
        yield from leaks(pool, alone)


def _default(types: KernelTypes, held: Sequence[Held], before: Baseline) -> Iterator[Violation]:
    """Violations in the default pool, which only devices without another pool may use."""
    pool = default_pool(types)
    if pool is None or before.default is None or pool == before.default:
        return
    in_use = slots_in_use(types, pool)
    yield from wrong_holders(pool, in_use, held, types.page_size)
    drivers = drivers_in(types, pool.address)
    if not drivers:
        yield from worked_instead(before.default, pool)
    elif drivers <= PROBE:
        yield from leaks(pool, unclaimed(pool, in_use, held, types.page_size))


def _contents(
    types: KernelTypes,
    pools: Sequence[PoolState],
    reserved: Sequence[ReservedRegion],
    held: Sequence[Held],
    before: Baseline,
) -> Iterator[Violation]:
    """Violations in the owners and the contents of *pools*; unused pools are skipped."""
    in_ram = _in_ram(types, pools)
    for pool in in_ram:
        yield from given_away(types, pool)
    used = [pool for pool in in_ram if pool.hiwater != 0]
    if used:
        yield from neighbours_in_pools(types.memory, used, before.planted)
        yield from in_new_memory(types.memory, before.planted, held)
        yield from outside_pools(types, before.planted, reserved)


def _in_ram(types: KernelTypes, pools: Iterable[PoolState]) -> list[PoolState]:
    """Those of *pools* that are in RAM: the kernel trusts a devicetree that describes others."""
    return [pool for pool in pools if not without([pool], types.memory.ranges)]


def _is_alone(pool: PoolState, pools: Iterable[PoolState]) -> bool:
    return not any(pool.overlaps(other) for other in pools if other is not pool)
