# SPDX-License-Identifier: Apache-2.0
"""Which of the lines that a series adds were run by the tests, on a kernel that counts them."""

from dataclasses import replace

from harness.jobs.coverage import make_report, measure, patch_lines
from harness.kernel import build_initramfs, build_kernel
from harness.kernel.build.notes import DIRECTORY, SOURCES
from harness.machine.binary import find_qemu
from harness.machine.machine import DEFAULT_RAM, Machine
from harness.machine.shape import DEFAULT_SHAPE, shaped_devicetree
from harness.results import SuiteRequest

FLAVOUR = "coverage"


def patch_coverage(request: SuiteRequest) -> tuple[str, ...]:
    """Build the kernel of *request*, with its series, once more so that it counts; run the tests.

    Of each file that the series adds to: how many of the lines with code ran, and which did not.
    """
    spec = replace(request.spec, flavour=FLAVOUR)
    kernel, qemu = build_kernel(spec), find_qemu(request.qemu)
    devicetree = shaped_devicetree(qemu, DEFAULT_SHAPE, ram_size=DEFAULT_RAM)
    machine = Machine(qemu, kernel, build_initramfs(kernel, spec), devicetree)
    measured = measure(machine, replace(request, spec=spec, keep="none"))
    report = make_report(measured.kernel.directory, measured.lines)
    sources = measured.kernel.directory / DIRECTORY / SOURCES
    return tuple(line for one in report.patches for line in patch_lines(one, sources))
