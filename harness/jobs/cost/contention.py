# SPDX-License-Identifier: Apache-2.0
"""The kernel's instructions for a mapping while other CPUs map as well.

Each CPU maps and unmaps buffers of its own over and over, for one device. What all CPUs execute
meanwhile is counted from outside, and divided by the number of mappings; it contains the steps of
the probe, which are the same for each number of CPUs, and what the CPUs spend waiting for a lock.
"""

from collections.abc import Iterator
from typing import Any

from harness.base.errors import HarnessError
from harness.devices.probe import Direction, DmaError, Probe, StressCalls
from harness.devices.probe.calls import Call, map_buffer, unmap
from harness.devices.probe.wire import MapCall
from harness.devices.rogue import EduRogue
from harness.jobs.cost.cost import Cost, median_cost
from harness.jobs.cost.counted_guest import CountedGuest
from harness.machine.machine import Machine

CPUS = (1, 2, 4)
"""How many contend, each on a machine with as many: one that idles beside them has locks too."""

SIZE = 4096
MAPPINGS, RUNS = 16, 500
"""A CPU's mappings at a time, and how often it makes and ends them in a round."""

ROUNDS = 9
"""Each gives a number; what a lock costs differs from time to time."""

TIMEOUT = 60.0
"""Seconds of the guest's own time for a round; it takes less than one."""


def contended_mappings(machine: Machine, kind: str) -> Cost:
    """The cost of a mapping while all CPUs of *machine* map."""
    cpus = machine.cpus
    with CountedGuest(machine) as counted:
        probe = Probe(counted.guest.agent)
        device = probe.device(str(EduRogue(counted.guest).bdf)).id
        for cpu in range(cpus):
            Probe(counted.guest.agent, context=1 + cpu).buffer(SIZE)
        work = list(_calls(device))
        jobs = [StressCalls(cpu, RUNS, 1 + cpu, work) for cpu in range(cpus)]
        counts = [_round(counted, probe, jobs) for _ in range(1 + ROUNDS)]
    return median_cost(contention_name(cpus), SIZE, kind, counts[1:])


def contention_name(cpus: int) -> str:
    """What is measured with that many CPUs."""
    return f"map and unmap, {cpus} CPU{'s' if cpus > 1 else ''}"


def _calls(device: int) -> Iterator[Call[Any]]:
    for number in range(MAPPINGS):
        yield map_buffer(number, device, MapCall.SINGLE, 0, 0, SIZE, Direction.TO_DEVICE)
    yield from (unmap(number) for number in range(MAPPINGS))


def _round(counted: CountedGuest, probe: Probe, jobs: list[StressCalls]) -> int:
    """Instructions for each mapping of *jobs*; raises HarnessError if a call failed."""
    before = counted.executed
    done = probe.stress(jobs, TIMEOUT)
    executed = counted.executed - before
    failed = [str(one) for worked in done for one in worked.outcomes if isinstance(one, DmaError)]
    if failed:
        raise HarnessError(f"a mapping failed while {len(jobs)} CPUs contended: {failed[0]}")
    return executed // (len(jobs) * RUNS * MAPPINGS)
