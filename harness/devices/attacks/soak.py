# SPDX-License-Identifier: Apache-2.0
"""Run cells repeatedly in one process, and measure its leaks."""

import gc
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.devices.attacks.machines import PCI_FENCE, machine_for
from harness.devices.attacks.matrix import Cell, MeasuredCell
from harness.devices.attacks.run import run_cell
from harness.machine.environment import Environment
from harness.machine.qemu.runroot import run_roots
from harness.machine.qemu.snapshot import park

WARM_UP = 1.0
"""Rounds through all cells before the first measurement: caches fill, types are read."""

MOST_GROWTH = 32 << 20
"""Bytes of memory that a process may grow by: the allocator keeps some of what it frees."""


@dataclass(frozen=True)
class Load:
    """What this process holds at one moment; *memory* in bytes."""

    files: int
    processes: int
    runs: int
    memory: int


@dataclass(frozen=True)
class Leak:
    """The amount of one resource at the start and at the end."""

    what: str
    first: int
    last: int
    allowed: int = 0

    @property
    def grew(self) -> bool:
        """Whether that is more than what is allowed."""
        return self.last - self.first > self.allowed

    def __str__(self) -> str:
        return f"{self.what}: {self.first} at the start, {self.last} at the end"


def soak(
    environment: Environment, wanted: Sequence[Cell], cycles: int, pci_fence: str = PCI_FENCE
) -> tuple[list[MeasuredCell], list[Leak]]:
    """Run *cycles* cells one after the other; the results, and how this process grew meanwhile."""
    for machine in dict.fromkeys(machine_for(environment, cell, pci_fence) for cell in wanted):
        park(machine)
    results: list[MeasuredCell] = []
    first = None
    for cell in itertools.islice(itertools.cycle(wanted), cycles):
        results.append(run_cell(environment, cell, pci_fence))
        if first is None and len(results) >= min(WARM_UP * len(wanted), cycles / 2):
            first = _load()
    assert first is not None, "taken on the way"
    return results, _leaks(first, _load())


def _load() -> Load:
    gc.collect()
    status = Path("/proc/self/status").read_text().split()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return Load(
        files=sum(1 for _ in Path("/proc/self/fd").iterdir()),
        processes=len(children),
        runs=sum(1 for root in run_roots() for _ in root.glob("run-*")),
        memory=int(status[status.index("VmRSS:") + 1]) << 10,
    )


def _leaks(first: Load, last: Load) -> list[Leak]:
    return [
        Leak("open files", first.files, last.files),
        Leak("child processes", first.processes, last.processes),
        Leak("run directories", first.runs, last.runs),
        Leak("bytes of memory", first.memory, last.memory, MOST_GROWTH),
    ]
