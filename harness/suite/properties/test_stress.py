# SPDX-License-Identifier: Apache-2.0
"""Properties B7 and B13: the reference model with calls of several CPUs at the same time."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from harness.base.violation import violated
from harness.devices.probe import (
    AllocCall,
    Attr,
    Buffer,
    Byte,
    Call,
    ContentError,
    Device,
    Direction,
    DmaError,
    MapCall,
    Probe,
    RequestRefused,
    Space,
    StressCalls,
    calls,
)
from harness.devices.probe.model_slots import (
    AddressRules,
    Demand,
    Slots,
    allocated,
    streaming,
)
from harness.kernel import SLOT, Geometry
from harness.machine.devicetree import Placement, Pool
from harness.machine.qemu.guest import Guest
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import slots_used

CPUS = 4

HELD = 12
"""Mappings and allocations that each CPU has at a time.

There is always room for one more: each is in at most two of the PARTS of the pool, which have the
size of the largest, so all together leave 32 parts free.
"""

LARGEST, PARTS = 16 * SLOT, 128

SIZES = (1, 100, SLOT, SLOT + 1, 2 * SLOT, 4 * SLOT, LARGEST)
"""Sizes in bytes; small ones are chosen more often."""

THINGS = 60
"""Mappings and allocations that a CPU makes in a run; a request has 32 KiB for all CPUs."""

RUNS = 12
TIMEOUT = 120.0

START = 20_260_712


@dataclass(frozen=True)
class Thing:
    """A mapping of *buffer* or an allocation: *size* bytes for *device*, all of them *fill*."""

    space: Space
    handle: int
    device: int
    buffer: Buffer
    size: int
    fill: Byte
    page: int

    @property
    def demand(self) -> Demand:
        """The slots and the alignment that it needs."""
        if self.space is Space.ALLOCATION:
            return allocated(self.size, AddressRules(), self.page)
        place = self.buffer.phys + self.handle * LARGEST
        return streaming(place, self.size, AddressRules(), self.page)

    def make(self) -> Call[Any]:
        """Map or allocate it."""
        if self.space is Space.ALLOCATION:
            return calls.alloc(self.handle, self.device, AllocCall.COHERENT, self.size)
        part = (self.buffer.handle, self.handle * LARGEST, self.size)
        how = (Direction.BIDIRECTIONAL, Attr.NO_WARN)
        return calls.map_buffer(self.handle, self.device, MapCall.SINGLE, *part, *how)

    def write(self) -> Call[Any]:
        """Have its device fill it."""
        return calls.fill(self.space, self.handle, 0, self.size, self.fill)

    def end(self) -> Iterator[Call[Any]]:
        """Check its content, unmap or free it, and check the CPU's buffer."""
        yield calls.verify(self.space, self.handle, 0, self.size, self.fill)
        if self.space is Space.ALLOCATION:
            yield calls.free(self.handle)
        else:
            yield calls.unmap(self.handle)
            place = (self.buffer.handle, self.handle * LARGEST, self.size)
            yield calls.verify(Space.BUFFER, *place, self.fill)


def things(random: Random, devices: Sequence[Device], buffer: Buffer, page: int) -> list[Thing]:
    """The things that one CPU makes; each reuses the handle of the one that ended before it."""
    return [
        Thing(
            space=random.choice([Space.MAPPING, Space.MAPPING, Space.ALLOCATION]),
            handle=number % HELD,
            device=random.choice(devices).id,
            buffer=buffer,
            size=random.choices(SIZES, range(len(SIZES), 0, -1))[0],
            fill=Byte(random.randrange(1, 256)),
            page=page,
        )
        for number in range(THINGS)
    ]


def in_turn(some: Sequence[Thing]) -> Iterator[Call[Any]]:
    """Make one after the other, and end the oldest of HELD; the last HELD stay."""
    held: deque[Thing] = deque()
    for thing in some:
        if len(held) == HELD:
            yield from held.popleft().end()
        held.append(thing)
        yield from (thing.make(), thing.write())


def ending(some: Sequence[Thing]) -> Iterator[Call[Any]]:
    """End the things that :func:`in_turn` leaves."""
    for thing in some[-HELD:]:
        yield from thing.end()


@pytest.fixture
def placements(geometry: Geometry) -> Mapping[str, Placement]:
    """A pool of PARTS times the largest mapping or allocation."""
    return {"pool": Placement(size=PARTS * max(LARGEST, geometry.page))}


@pytest.fixture
def workers(guest: Guest, probe: Probe, geometry: Geometry) -> list[list[Thing]]:
    """The things that each CPU makes, in its own context of the probe."""
    random = Random(START)
    devices = [probe.device("probe-a"), probe.device("probe-b")]
    buffers = [Probe(guest.agent, context=1 + cpu).buffer(HELD * LARGEST) for cpu in range(CPUS)]
    return [things(random, devices, buffer, geometry.page) for buffer in buffers]


def at_once(probe: Probe, some: Sequence[Sequence[Call[Any]]], runs: int) -> list[list[Any]]:
    """Make the calls of all CPUs at once; returns the outcomes of the last run.

    Raises PropertyViolated if a call fails.
    """
    work = [StressCalls(cpu, runs, 1 + cpu, own) for cpu, own in enumerate(some)]
    try:
        done = probe.stress(work, TIMEOUT)
    except RequestRefused as refused:
        raise violated(f"A mapping or an allocation was not made: {refused}", "B13") from None
    for cpu, worked in enumerate(done):
        for outcome in worked.outcomes:
            if isinstance(outcome, DmaError):
                broken = "B7" if isinstance(outcome, ContentError) else "B13"
                raise violated(f"CPU {cpu}, run {worked.runs}: {outcome}", broken)
    return [list(worked.outcomes) for worked in done]


@pytest.mark.property("B1", "B7", "B8", "B13", "D1", "D3", "D6", "E1", "E17")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.2")
@pytest.mark.parametrize("cpus", [CPUS])
def test_several_cpus_and_devices_have_slots_of_their_own(
    probe: Probe,
    pool: Pool,
    counters: PoolCounters,
    workers: list[list[Thing]],
    geometry: Geometry,
) -> None:
    """With room for all, every call succeeds, and no two mappings or allocations share a slot."""
    at_once(probe, [[*in_turn(own), *ending(own)] for own in workers], RUNS)
    slots_used(counters, 0)

    made = at_once(probe, [[thing.make() for thing in own[:HELD]] for own in workers], 1)
    slots = Slots(pool.base, pool.size, geometry)
    for own, outcomes in zip(workers, made, strict=True):
        for thing, outcome in zip(own[:HELD], outcomes, strict=True):
            slots.take(thing.demand, outcome.dma_addr)
    slots_used(counters, slots.used)
