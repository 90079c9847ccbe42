# SPDX-License-Identifier: Apache-2.0
"""Oracle: what earlier users left in a pool gets neither out of it nor into a new mapping."""

from collections.abc import Iterable, Iterator, Sequence

from harness.base.address_range import AddressRange
from harness.base.violation import Violation
from harness.devices.oracles.canary import Planted, Stale, stale
from harness.devices.probe import Held, Space
from harness.observe.memory import Atlas, KernelTypes, Memory, ReservedRegion
from harness.observe.memory.ranges import without

IDS = {Space.MAPPING: ("B3",), Space.ALLOCATION: ("D1",)}
"""What is broken when a new mapping or allocation shows old bytes of the pool."""


def outside_pools(
    types: KernelTypes, planted: Sequence[Planted], reserved: Sequence[ReservedRegion]
) -> Iterator[Violation]:
    """Canaries of pools outside every pool; Linux does not manage reserved memory."""
    elsewhere = without(types.memory.ranges, reserved)
    for found in stale(types.memory, planted, elsewhere):
        where = Atlas(types).classify(found.phys)
        yield Violation(("B4",), f"a stale byte of {_origin(found)} lies outside, at {where}")
        return


def in_new_memory(
    memory: Memory, planted: Sequence[Planted], held: Iterable[Held]
) -> Iterator[Violation]:
    """Canaries within what is mapped or allocated now."""
    for one in held:
        if one.space in IDS and any(place.pool.contains(one.phys) for place in planted):
            for found in stale(memory, planted, [AddressRange(one.phys, one.size)]):
                what = f"the {one.space.name.lower()} at {one.phys:#x}"
                text = f"{what} shows a stale byte of {_origin(found)}, at {found.phys:#x}"
                yield Violation(IDS[one.space], text)
                break


def _origin(found: Stale) -> str:
    return f"{found.pool.name}, slot {found.slot}"
