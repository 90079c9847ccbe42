# SPDX-License-Identifier: Apache-2.0
"""Run the suite on a kernel that counts its lines, and add up the counts of all guests."""

import shutil
from dataclasses import dataclass, replace

from harness.base.cache.evict import growing
from harness.base.errors import HarnessError
from harness.base.paths import cache_directory
from harness.jobs.coverage.collector import COUNTS
from harness.jobs.coverage.counts import load_counts, total
from harness.jobs.coverage.functions_of_tests import reached_by
from harness.jobs.coverage.layout import Layout, read_layout
from harness.jobs.coverage.lines import Lines, read_lines
from harness.kernel import Kernel, build_initramfs, build_kernel
from harness.kernel.build.notes import DIRECTORY
from harness.machine.binary import find_qemu
from harness.machine.machine import DEFAULT_RAM, Machine
from harness.machine.qemu.snapshot import boot
from harness.machine.shape import DEFAULT_SHAPE, shaped_devicetree
from harness.observe.memory import KernelTypes, Symbols, live_memory
from harness.results import SuiteRequest, Verdict, run_tests, verdict_of
from harness.results.reached import Reached

FLAVOUR = "coverage"
"""The flavour of kernel-config/flavours whose kernel counts its lines with gcov."""


@dataclass(frozen=True)
class Measurement:
    """The lines of *kernel* with their counts, which tests reach what, and the run's verdict."""

    kernel: Kernel
    lines: Lines
    reached: Reached
    verdict: Verdict


def measure(request: SuiteRequest, add: bool = False) -> Measurement:
    """Build the kernel of *request* with FLAVOUR, so that it counts its lines, and run the tests.

    With *add* the counts of earlier runs on that kernel are kept. Raises what build_kernel raises,
    and HarnessError if pytest could not run the tests; a failed test is not an error.
    """
    request = replace(request, spec=replace(request.spec, flavour=FLAVOUR))
    machine = _machine(request)
    directory = cache_directory() / "coverage" / machine.kernel.key
    if not add:
        shutil.rmtree(directory, ignore_errors=True)
    with growing(directory):
        layout = _find_counters(machine)
        layout.save(directory)
        run = run_tests(request, show=True, more=[f"--coverage={directory}"])
        counted = tuple(load_counts(directory / COUNTS))
        if not counted:
            raise HarnessError("no guest reported a counter: pytest printed the reason above")
        symbols = Symbols(machine.kernel.vmlinux)
        reached = reached_by(directory, layout, symbols, machine.kernel.release)
    counts = total(counted, layout)
    lines = read_lines(machine.kernel.directory / DIRECTORY, layout, counts)
    return Measurement(machine.kernel, lines, reached, verdict_of(run))


def _machine(request: SuiteRequest) -> Machine:
    """The machine of the default shape, with the kernel of *request*."""
    kernel, qemu = build_kernel(request.spec), find_qemu(request.qemu)
    devicetree = shaped_devicetree(qemu, DEFAULT_SHAPE, ram_size=DEFAULT_RAM)
    return Machine(qemu, kernel, build_initramfs(kernel, request.spec), devicetree)


def _find_counters(machine: Machine) -> Layout:
    with boot(machine) as guest, live_memory(guest) as memory:
        types = KernelTypes(memory, Symbols(machine.kernel.vmlinux))
        return read_layout(types, machine.kernel.key)
