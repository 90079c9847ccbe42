# SPDX-License-Identifier: Apache-2.0
"""What is measured, and the goal for each."""

import time
from collections.abc import Callable, Iterator

from harness.base.result import Result
from harness.base.space import GIB, MIB
from harness.devices.probe import Direction, MapCall, Probe, Space, calls
from harness.devices.rogue import NvmeRogue
from harness.jobs.bench.bare import bare_boot, bare_restore
from harness.jobs.bench.in_boots import time_run
from harness.jobs.bench.measure import Measure
from harness.machine.layout import RAM_BASE
from harness.machine.machine import Machine
from harness.machine.qemu.snapshot import Snapshot, boot, park, restore
from harness.observe.memory import LiveMemory, find, live_memory
from harness.results import SuiteRequest, Verdict

PROBE_CALLS = 4000
"""Calls of one sample; half of them map, half unmap."""

PATTERN = b"no such bytes in RAM, but for us"

CHUNK = MIB
"""Bytes read at once by the plain read that the search is compared with."""

BULK = 64 * MIB
"""Bytes that the rogue reads at once."""

SUITE = 165
"""The most bare boots for the suite."""


def measure_machine(machine: Machine, repeat: int) -> Iterator[Measure]:
    """Measure boot, restore, one test's machine, probe calls and RAM search, *repeat* times."""
    snapshot = park(machine)
    bare, ours = _in_turn(lambda: bare_boot(machine), lambda: _boot(machine), repeat)
    yield Measure("boot to ready, bare QEMU", "s", bare)
    boots = Measure("boot to ready", "s", ours)
    yield boots
    yield Measure("boot, ratio to bare QEMU", "", _ratios(ours, bare), most=1.15)
    bare, ours = _in_turn(lambda: bare_restore(snapshot), lambda: _restore(snapshot), repeat)
    yield Measure("restore to first answer, bare QEMU", "s", bare)
    yield Measure("restore to first answer", "s", ours, most=0.3)
    shares = tuple(sample / boots.median for sample in ours)
    yield Measure("restore, share of a boot", "", shares, most=0.35)
    tests = tuple(_timed(lambda: _one_test(snapshot)) for _ in range(repeat))
    yield Measure("one test, all in", "s", tests, most=0.7)
    yield from _measure_guest(snapshot, repeat)


def measure_suite(request: SuiteRequest, machine: Machine) -> Iterator[Measure]:
    """Run the suite once, between bare boots of *machine* that measure the host's speed.

    Raises HarnessError if the suite does not pass.
    """
    timed = time_run(request, machine, Verdict.GOOD)
    passed = sum(one.result is Result.PASS for one in timed.run.tests)
    name = f"suite, -n {request.workers}"
    yield Measure(name, "tests/min", (60 * passed / timed.seconds,))
    yield Measure(f"{name}, ratio to a bare boot", "", (timed.boots,), most=SUITE)


def _measure_guest(snapshot: Snapshot, repeat: int) -> Iterator[Measure]:
    with restore(snapshot) as guest:
        probe = Probe(guest.agent)
        rates = tuple(_probe_rate(probe) for _ in range(repeat))
        yield Measure("probe calls", "calls/s", rates, least=2000)
        with live_memory(guest) as memory:
            size = sum(span.size for span in memory.ranges)
            plain, search = _in_turn(
                lambda: _timed(lambda: _read_all(memory)),
                lambda: _timed(lambda: list(find(memory, PATTERN))),
                repeat,
            )
        rogue = NvmeRogue(guest)
        dma = tuple(_timed(lambda: rogue.read(RAM_BASE, BULK)) for _ in range(repeat))
    yield Measure("rogue, bulk read", "MB/s", tuple(BULK / 1e6 / sample for sample in dma))
    yield Measure("RAM, plain read", "GB/s", tuple(size / GIB / sample for sample in plain))
    yield Measure("RAM, search", "GB/s", tuple(size / GIB / sample for sample in search), least=1)


def _boot(machine: Machine) -> float:
    begin = time.monotonic()
    with boot(machine):
        return time.monotonic() - begin


def _restore(snapshot: Snapshot) -> float:
    begin = time.monotonic()
    with restore(snapshot):
        return time.monotonic() - begin


def _one_test(snapshot: Snapshot) -> None:
    """The smallest VM test: restore a guest, map a buffer, read its memory, discard the guest."""
    with restore(snapshot) as guest, live_memory(guest) as memory:
        probe = Probe(guest.agent)
        device, buffer = probe.devices()[0], probe.buffer(4096)
        with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
            memory.read(mapping.dma_addr, mapping.size)


def _probe_rate(probe: Probe) -> float:
    """Calls a second, with many calls in one request."""
    device, buffer = probe.devices()[0], probe.buffer(4096)
    handle = device.session.take_handle(Space.MAPPING)
    pair = (
        calls.map_buffer(
            handle, device.id, MapCall.SINGLE, buffer.handle, 0, 4096, Direction.TO_DEVICE
        ),
        calls.unmap(handle),
    )
    elapsed = _timed(lambda: device.session.outcomes(pair * (PROBE_CALLS // 2)))
    device.session.return_handle(Space.MAPPING, handle)
    buffer.free()
    return PROBE_CALLS / elapsed


def _read_all(memory: LiveMemory) -> None:
    buffer = memoryview(bytearray(CHUNK))
    for span in memory.ranges:
        for offset in range(0, span.size, CHUNK):
            memory.read_into(span.base + offset, buffer[: min(CHUNK, span.size - offset)])


def _timed(work: Callable[[], object]) -> float:
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def _in_turn(
    first: Callable[[], float], second: Callable[[], float], repeat: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Samples of both, taken in turn so that a busy machine slows both; one warm-up each."""
    first(), second()
    pairs = [(first(), second()) for _ in range(repeat)]
    return tuple(one for one, _ in pairs), tuple(two for _, two in pairs)


def _ratios(ours: tuple[float, ...], bare: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(one / two for one, two in zip(ours, bare, strict=True))
