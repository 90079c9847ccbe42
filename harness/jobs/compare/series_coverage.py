# SPDX-License-Identifier: Apache-2.0
"""Which of the lines that a series adds were run by the tests, on a kernel that counts them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.jobs.coverage import make_report, measure
from harness.jobs.coverage.coverage_report import PatchReport
from harness.kernel import build_initramfs, build_kernel
from harness.kernel.build.notes import DIRECTORY, SOURCES
from harness.machine.machine import DEFAULT_RAM, Machine
from harness.machine.qemu.qemu import find_qemu
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
    options = [f"--kernel={spec.source}", f"--flavour={FLAVOUR}", f"--tier={request.tier}"]
    options += [f"--series={path}" for path in spec.series]
    options += [f"--kernel-config={path}" for path in spec.fragments[len(type(spec)().fragments) :]]
    words = [*options, f"-n{request.workers}", "--keep=none", *request.words]
    measured = measure(machine, words, tests=request.tests)
    report = make_report(measured.kernel.directory, measured.lines)
    sources = measured.kernel.directory / DIRECTORY / SOURCES
    return tuple(line for one in report.patches for line in patch_lines(one, sources))


def patch_lines(patch: PatchReport, sources: Path) -> Sequence[str]:
    """Say how many lines ran, and show each that did not."""
    if not patch.code:
        return [f"{patch.path}: no line of which anything is counted"]
    missed = [number for number in patch.code if number not in patch.run]
    text = (sources / patch.path).read_text(errors="replace").splitlines()
    rest = "; not run:" if missed else ""
    head = f"{patch.path}: {len(patch.run)} of {len(patch.code)} ran{rest}"
    return [head, *(f"  {number}: {text[number - 1].strip()}" for number in missed)]
