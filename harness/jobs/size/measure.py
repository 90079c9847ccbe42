# SPDX-License-Identifier: Apache-2.0
"""Find the smallest pools for a driver: halve the range of sizes, with a new guest for each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from harness.base.progress import step
from harness.base.space import KIB, MIB, size_text
from harness.devices.drivers import Driver
from harness.jobs.check import confined
from harness.jobs.check.check_machine import RAM_SIZE, SHAPE, check_machine
from harness.jobs.check.kernel_parts import KernelParts, driver_name
from harness.jobs.size.answers import Ending, Level, Sizing, Trial
from harness.jobs.size.trial import WORKLOADS, Job, try_pool
from harness.kernel import Kernel
from harness.machine.binary import Qemu
from harness.machine.devicetree import Placement
from harness.machine.machine import Machine
from harness.observe.memory import KnownTypes

SMALLEST, AMPLE, LARGEST = 256 * KIB, 16 * MIB, 64 * MIB
"""Bytes of pools: the smallest is a slot set, as pools of other sizes have faults of their own
(docs/findings.md, odd-size-free-list), and no mapping is larger; the first that is tried; the
largest, if that one is full. All are powers of two: between them it depends on chance, on which
pages the workload's memory has, whether a request of many large mappings finds room."""

LABEL = "pool"
"""Of the pool in dts/pool-pci-host.dtso."""

COUNT_HIGH_WATER = "swiotlb=track_hiwater"
"""Makes Linux 7.3 count the most slots in use (kernel/dma/swiotlb.c, setup_io_tlb_npages());
older kernels always do, and ignore the word."""


@dataclass
class SizeBench:
    """What all trials share. *workload* for the guest's shell; empty: each driver's own."""

    qemu: Qemu
    kernel: Kernel
    parts: KernelParts
    cpus: int
    workload: str = ""
    known: KnownTypes = field(default_factory=KnownTypes)

    def machine(self, size: int) -> Machine:
        """The machine with a pool of *size* bytes, and a fence around it."""
        placed = {LABEL: Placement(size=size)}
        around = confined(self.qemu, SHAPE, RAM_SIZE, self.cpus, placed)
        machine = check_machine(self.qemu, self.kernel, self.parts, around)
        return replace(machine, append=COUNT_HIGH_WATER)

    def lacking(self, driver: Driver) -> str:
        """Why *driver* cannot be measured; empty if it can."""
        if lacks := self.parts.lacking(driver.parts):
            return lacks
        if absent := self.qemu.capabilities.lacking(driver.devices):
            return f"this QEMU has no device {', '.join(absent)}"
        return "" if self.parts.hotplug else "CONFIG_HOTPLUG_PCI_PCIE is not set"

    def try_size(self, driver: Driver, size: int) -> Trial:
        """What *driver* does in a pool of *size* bytes."""
        with step(f"{driver.name} in a pool of {size_text(size)}"):
            return try_pool(Job(self.machine(size), driver, self.workload), self.known)


def measure(bench: SizeBench, driver: Driver) -> Sizing:
    """The pool that *driver* needs; raises what :func:`try_pool` does."""
    workload = bench.workload or WORKLOADS[driver.work]
    answer = Sizing(driver.name, driver_name(driver), workload)
    if reason := bench.lacking(driver):
        return replace(answer, reason=reason)
    attempt = Trials(partial(bench.try_size, driver))
    ample = attempt(AMPLE)
    while ample.refused and ample.size < LARGEST:
        ample = attempt(2 * ample.size)
    if ample.level() < Level.NO_ERRORS:
        return replace(answer, ample=ample)
    smallest = smallest_pools(attempt, ample)
    attempt(SMALLEST)
    return replace(
        answer, ample=ample, smallest=smallest, below=kinds_below(attempt.done.values(), ample)
    )


class Trials:
    """Trials by their size, each made once."""

    def __init__(self, attempt: Callable[[int], Trial]) -> None:
        self._attempt = attempt
        self.done: dict[int, Trial] = {}

    def __call__(self, size: int) -> Trial:
        """The trial with a pool of *size* bytes."""
        if size not in self.done:
            self.done[size] = self._attempt(size)
        return self.done[size]


def smallest_pools(attempt: Callable[[int], Trial], ample: Trial) -> Mapping[Level, int]:
    """The smallest pool in bytes for each level that *ample* reaches, by halving.

    A pool that is larger is taken to be no worse.
    """
    sizes = [SMALLEST]
    while sizes[-1] < ample.size:
        sizes.append(2 * sizes[-1])
    found: dict[Level, int] = {}
    good = len(sizes) - 1
    for level in (Level.FULL_SPEED, Level.NO_ERRORS, Level.ENDS):
        if ample.level(ample) < level:
            continue
        bad = -1
        while good - bad > 1:
            middle = (good + bad) // 2
            if attempt(sizes[middle]).level(ample) >= level:
                good = middle
            else:
                bad = middle
        found[level] = sizes[good]
    return found


def kinds_below(done: Iterable[Trial], ample: Trial) -> tuple[Trial, ...]:
    """The largest of the trials that show the same, for each kind that is not full speed."""
    kinds: dict[tuple[Ending, Level], Trial] = {}
    for trial in sorted(done, key=lambda one: -one.size):
        level = trial.level(ample)
        if level < Level.FULL_SPEED and trial is not ample:
            kinds.setdefault((trial.outcome, level), trial)
    return tuple(kinds.values())
