# SPDX-License-Identifier: Apache-2.0
"""Runs the suite on a kernel that counts its lines, and adds up what its guests have counted."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from harness.base.errors import HarnessError
from harness.base.paths import CHECKOUT, cache_directory
from harness.jobs.coverage.collector import COUNTS
from harness.jobs.coverage.counts import load_counts, total
from harness.jobs.coverage.layout import Layout, read_layout
from harness.jobs.coverage.lines import Lines, read_lines
from harness.kernel import Kernel
from harness.kernel.build.notes import DIRECTORY
from harness.machine.machine import Machine
from harness.machine.qemu.snapshot import boot
from harness.observe.memory import KernelTypes, Symbols, live_memory

RAN = (0, 1)
"""What pytest ends with if it ran the tests: none has failed, or some have."""


@dataclass(frozen=True)
class Measurement:
    """What a run has reached of *kernel*, and what pytest ended with."""

    kernel: Kernel
    lines: Lines
    exit_code: int


def measure(
    machine: Machine, words: Sequence[str], add: bool = False, tests: Sequence[str] = ()
) -> Measurement:
    """Run the suite, with *words* for pytest, on the kernel of *machine*, which counts its lines.

    *tests* are node ids or files of the checkout, all if empty. With *add* what earlier runs on
    that kernel have counted is kept. Raises HarnessError if pytest could not run the tests; that a
    test has failed is no error.
    """
    directory = cache_directory() / "coverage" / machine.kernel.key
    if not add:
        shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    layout = _find_counters(machine)
    layout.save(directory)
    chosen = [str(CHECKOUT / name) for name in tests or ("harness",)]
    command = [sys.executable, "-m", "pytest", *chosen, f"--coverage={directory}", *words]
    exit_code = subprocess.run(command, check=False).returncode
    if exit_code not in RAN:
        raise HarnessError(f"pytest ended with {exit_code}, so there is nothing to report")
    counted = tuple(load_counts(directory / COUNTS))
    if not counted:
        raise HarnessError("no guest has counted anything; look at what pytest printed above")
    counts = total(counted, layout)
    lines = read_lines(machine.kernel.directory / DIRECTORY, layout, counts)
    return Measurement(machine.kernel, lines, exit_code)


def _find_counters(machine: Machine) -> Layout:
    with boot(machine) as guest, live_memory(guest) as memory:
        types = KernelTypes(memory, Symbols(machine.kernel.vmlinux))
        return read_layout(types, machine.kernel.key)
