# SPDX-License-Identifier: Apache-2.0
"""Property B7: live mappings never share a slot, on many CPUs too."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from random import Random
from typing import Any

import pytest

from harness.base.address_range import AddressRange
from harness.devices.probe import (
    AllocCall,
    Byte,
    Call,
    ContentError,
    Device,
    Direction,
    DmaError,
    MapCall,
    Probe,
    Seed,
    Slice,
    Space,
    StressCalls,
    calls,
)
from harness.kernel import SLOT
from harness.machine.devicetree import Placement, Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import KernelTypes, slots
from harness.observe.memory import restricted_pools as kernel_pools
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import MOSTLY_NIGHTLY
from harness.suite.lib.expect import equal, require, slots_used
from harness.suite.lib.filling import places

KIB, CPUS = 1024, 4

SIZES = ((700, 9000, 2048), (4096, 1, 6000), (2049, 3000, 100), (5000, 2047, 4097))
"""Bytes of the mappings that each CPU holds at once."""

MIXED, LIVE, STEPS = (1, 2048, 2049, 4097), 5, 120
"""Sizes in bytes of mappings that are made and ended in random order, the most that a CPU has at a
time, and the number of map and unmap calls in a run. There is always room for one more."""

BUFFER = max(*MIXED, *chain(*SIZES))
"""Bytes of each of a CPU's buffers."""

CHECKED_RUNS, BARE_RUNS, MIXED_RUNS, INTERRUPTS = 150, 2000, 100, 10
"""How often each CPU repeats its work, and how many interrupts the last CPU sends in a run."""

CROWDED = pytest.mark.parametrize("crowded", [True], ids=["crowded"])
"""A pool of 256 KiB, a slot set of most kernels, so that all CPUs search and merge in the same
slots; of more with pages of which each CPU's would fill it."""

HARD_INTERRUPTS = pytest.mark.needs(
    "its interrupt handlers map: with PREEMPT_RT they are threads, and a pool's lock may sleep",
    config="PREEMPT_RT=n",
)

FIRST, SECOND = Seed(0xF1), Seed(0x5E)

SHARED = "The kernel gave one slot to two live mappings."


@pytest.fixture
def crowded() -> bool:
    """Whether the pool is as small as it can be."""
    return False


@pytest.fixture
def placements(request: pytest.FixtureRequest, crowded: bool) -> Mapping[str, Placement]:
    """The usual pool, or a small one."""
    if not crowded:
        return {}
    page: int = request.getfixturevalue("page")
    return {"pool": Placement(size=max(256 * KIB, 2 * CPUS * page))}


def cpu_seed(cpu: int, number: int) -> Seed:
    """The content of a buffer before it is mapped; unique for each buffer."""
    return Seed(0xC000 + 16 * cpu + number)


def device_seed(cpu: int, number: int) -> Seed:
    """The content that the device writes into a mapping; unique for each mapping."""
    return Seed(0xD000 + 16 * cpu + number)


def map_all(device: Device, sizes: Sequence[int]) -> Iterator[Call[Any]]:
    """Map the first bytes of buffers 0, 1, ... as mappings 0, 1, ..."""
    for number, size in enumerate(sizes):
        yield calls.map_buffer(
            number, device.id, MapCall.SINGLE, number, 0, size, Direction.BIDIRECTIONAL
        )


def checked_run(device: Device, cpu: int, page: int) -> Iterator[Call[Any]]:
    """Map, have the device write, check the mapping, unmap, check the buffer."""
    parts = list(enumerate(SIZES[cpu]))
    yield from map_all(device, SIZES[cpu])
    yield calls.alloc(0, device.id, AllocCall.COHERENT, page)
    for number, size in parts:
        yield calls.fill(Space.MAPPING, number, 0, size, device_seed(cpu, number))
    yield calls.verify(Space.ALLOCATION, 0, 0, page, Byte(0))
    for number, size in parts:
        yield calls.verify(Space.MAPPING, number, 0, size, device_seed(cpu, number))
        yield calls.unmap(number)
        yield calls.verify(Space.BUFFER, number, 0, size, device_seed(cpu, number))
    yield calls.free(0)


def bare_run(device: Device, cpu: int) -> Iterator[Call[Any]]:
    """Map and unmap and nothing else, so that the CPUs contend for the pool."""
    yield from map_all(device, SIZES[cpu])
    for number in range(len(SIZES[cpu])):
        yield calls.unmap(number)


def mixed_run(device: Device, cpu: int) -> Iterator[Call[Any]]:
    """Map and unmap in random order; before each unmap, check that the mapping is unchanged.

    Each map writes into the pool (B3), so the check finds two mappings in one slot.
    """
    random = Random(cpu)
    live: dict[int, int] = {}
    for number in (*random.choices(range(LIVE), k=STEPS), *range(LIVE)):
        if size := live.pop(number, None):
            yield calls.verify(Space.MAPPING, number, 0, size, cpu_seed(cpu, number))
            yield calls.unmap(number)
        else:
            live[number] = random.choice(MIXED)
            how = (MapCall.SINGLE, number, 0, live[number], Direction.TO_DEVICE)
            yield calls.map_buffer(number, device.id, *how)
    yield from (calls.unmap(number) for number in live)


def mixed_work(device: Device) -> list[list[Call[Any]]]:
    """All CPUs but the last map and unmap; the last interrupts them, and the handlers map too."""
    busy = [list(mixed_run(device, cpu)) for cpu in range(CPUS - 1)]
    return [*busy, [calls.interrupt(device.id, 0, 1)] * INTERRUPTS]


def on_every_cpu(guest: Guest, probe: Probe, runs: int, work: list[list[Call[Any]]]) -> None:
    """Run the *work* of all CPUs at once; every call of every run must succeed."""
    for cpu in range(CPUS):
        own = Probe(guest.agent, context=1 + cpu)
        for number in range(LIVE):
            own.buffer(BUFFER).fill(cpu_seed(cpu, number))

    done = probe.stress([StressCalls(cpu, runs, 1 + cpu, work[cpu]) for cpu in range(CPUS)], 120)

    wrong = [
        f"CPU {cpu}: {outcome}"
        for cpu, worked in enumerate(done)
        for outcome in worked.outcomes
        if isinstance(outcome, DmaError)
    ]
    require(not wrong, "every call succeeds", "\n".join(wrong))
    equal([worked.runs for worked in done], [runs] * CPUS, "finished runs of each CPU")


@pytest.mark.property("B7")
@pytest.mark.parametrize("cpus", [CPUS])
@CROWDED
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_mappings_of_several_cpus_never_share_a_byte(
    guest: Guest, device: Device, probe: Probe, counters: PoolCounters, page: int
) -> None:
    """A device's writes into the mappings of one CPU do not change those of another CPU."""
    work = [list(checked_run(device, cpu, page)) for cpu in range(CPUS)]

    on_every_cpu(guest, probe, CHECKED_RUNS, work)

    slots_used(counters, 0)


@HARD_INTERRUPTS
@pytest.mark.property("B7", "B13")
@pytest.mark.parametrize("cpus", [CPUS])
@CROWDED
def test_mappings_that_come_and_go_keep_their_content(
    guest: Guest, device: Device, probe: Probe, counters: PoolCounters
) -> None:
    """A mapping keeps its content while other CPUs and interrupts map and unmap."""
    on_every_cpu(guest, probe, MIXED_RUNS, mixed_work(device))

    slots_used(counters, 0)


@pytest.mark.nightly("a kernel of its own")
@HARD_INTERRUPTS
@pytest.mark.property("B7", "B13")
@pytest.mark.needs("nothing detects data races", config="KCSAN=y")
@pytest.mark.parametrize("flavour", ["kcsan"])
@pytest.mark.parametrize("cpus", [CPUS])
@CROWDED
def test_cpus_do_not_race_for_what_the_kernel_knows_of_a_pool(
    guest: Guest, device: Device, probe: Probe, counters: PoolCounters
) -> None:
    """KCSAN reports no data race while CPUs and interrupts map and unmap."""
    on_every_cpu(guest, probe, MIXED_RUNS, mixed_work(device))

    slots_used(counters, 0)


@pytest.mark.property("B7", "B13")
@pytest.mark.parametrize("cpus", [CPUS])
@CROWDED
def test_a_pool_is_whole_after_several_cpus_used_it(
    guest: Guest,
    device: Device,
    probe: Probe,
    pool: Pool,
    counters: PoolCounters,
    types: KernelTypes,
    slot_set: int,
) -> None:
    """After all CPUs have unmapped, no slot is in use and the largest mapping fits."""
    work = [list(bare_run(device, cpu)) for cpu in range(CPUS)]

    on_every_cpu(guest, probe, BARE_RUNS, work)

    slots_used(counters, 0)
    in_use = [at for at, slot in enumerate(slots(types, kernel_pools(types)[0])) if slot.in_use]
    equal(in_use, [], "slots in use by the kernel's slot table")
    largest = probe.buffer(min(slot_set, pool.size))
    with device.map_single(largest, Direction.TO_DEVICE) as mapping:
        # with a slot set for each of several areas, that of the CPU which calls is searched first
        found, free = mapping.dma_addr, places(pool, largest.size, slot_set)
        require(found in free, f"one of {', '.join(map(hex, free))}", f"{found:#x}")


@pytest.mark.property("B7")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_every_mapping_has_slots_of_its_own(
    device: Device, probe: Probe, pool: Pool, page: int, slot_set: int
) -> None:
    """No two mappings of one buffer, of any size, and no coherent memory share a slot."""
    buffer = probe.buffer(slot_set)
    sizes = [1, 2047, 2048, 2049, 4096, 10_000] * 20

    ranges = [(device.map_single(buffer, Direction.TO_DEVICE, size=s).dma_addr, s) for s in sizes]
    ranges += [(device.alloc_coherent(size).dma_addr, size) for size in (page, 3 * page) * 20]
    scattered = device.map_sg([Slice(buffer, 0, size) for size in sizes], Direction.TO_DEVICE)
    ranges += [(segment.dma_addr, segment.length) for segment in scattered.segments]

    for (one, size), (two, _) in pairwise(sorted(ranges)):
        last, first = (one + size - 1 - pool.base) // SLOT, (two - pool.base) // SLOT
        seen = f"{AddressRange(one, size)} and {two:#x}, in slot {first}"
        require(last < first, "ranges that share no slot", seen, summary=SHARED)


@pytest.mark.property("B7", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_mappings_of_one_buffer_share_it(
    device: Device, probe: Probe, page: int
) -> None:
    """Two mappings of one buffer of an unrestricted device share memory, and the check finds it."""
    buffer = probe.buffer(page)
    first = device.map_single(buffer, Direction.BIDIRECTIONAL)
    second = device.map_single(buffer, Direction.BIDIRECTIONAL)

    first.device_side.fill(FIRST)
    second.device_side.fill(SECOND)

    with pytest.raises(ContentError):
        device.session.call(calls.verify(Space.MAPPING, first.handle, 0, page, FIRST))
