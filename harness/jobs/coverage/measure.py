# SPDX-License-Identifier: Apache-2.0
"""Runs the suite on a kernel that counts its lines, and adds up what its guests have counted."""

import shutil
from dataclasses import dataclass

from harness.base.errors import HarnessError
from harness.base.paths import cache_directory
from harness.jobs.coverage.collector import COUNTS
from harness.jobs.coverage.counts import load_counts, total
from harness.jobs.coverage.layout import Layout, read_layout
from harness.jobs.coverage.lines import Lines, read_lines
from harness.kernel import Kernel
from harness.kernel.build.notes import DIRECTORY
from harness.machine.machine import Machine
from harness.machine.qemu.snapshot import boot
from harness.observe.memory import KernelTypes, Symbols, live_memory
from harness.results import SuiteRequest, Verdict, run_tests, verdict_of


@dataclass(frozen=True)
class Measurement:
    """What a run has reached of *kernel*, and the verdict of the run."""

    kernel: Kernel
    lines: Lines
    verdict: Verdict


def measure(machine: Machine, request: SuiteRequest, add: bool = False) -> Measurement:
    """Run the tests of *request* on the kernel of *machine*, which counts its lines.

    With *add* what earlier runs on that kernel have counted is kept. Raises HarnessError if pytest
    could not run the tests; a failed test is not an error.
    """
    directory = cache_directory() / "coverage" / machine.kernel.key
    if not add:
        shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    layout = _find_counters(machine)
    layout.save(directory)
    run = run_tests(request, show=True, more=[f"--coverage={directory}"])
    counted = tuple(load_counts(directory / COUNTS))
    if not counted:
        raise HarnessError("no guest has counted anything; look at what pytest printed above")
    counts = total(counted, layout)
    lines = read_lines(machine.kernel.directory / DIRECTORY, layout, counts)
    return Measurement(machine.kernel, lines, verdict_of(run))


def _find_counters(machine: Machine) -> Layout:
    with boot(machine) as guest, live_memory(guest) as memory:
        types = KernelTypes(memory, Symbols(machine.kernel.vmlinux))
        return read_layout(types, machine.kernel.key)
