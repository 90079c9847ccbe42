# SPDX-License-Identifier: Apache-2.0
"""Run the KUnit tests of a series in a guest: they run while the kernel boots."""

import tempfile
from dataclasses import replace
from pathlib import Path

from harness.base.errors import BuildError, ConfigError, GuestCrash, GuestError, explain
from harness.base.progress import step
from harness.base.result import Result
from harness.kernel import KernelSpec, build_initramfs, build_kernel
from harness.kernel.patches.reach import Reach
from harness.machine.binary import find_qemu
from harness.machine.machine import Machine
from harness.machine.qemu.snapshot import park
from harness.machine.shape import DEFAULT_SHAPE, shaped_devicetree
from harness.results import Case, SuiteRequest
from harness.results.kunit_log import PREFIX, kunit_cases

APPEND = "kunit.enable=1 kunit.autorun=1"
"""allnoconfig leaves KUNIT_DEFAULT_ENABLED, and since 6.14 KUNIT_AUTORUN_ENABLED, off; a kernel
ignores a parameter that it does not know (lib/kunit/test.c)."""


def run_kunit(request: SuiteRequest, reach: Reach) -> tuple[Case, ...]:
    """The KUnit tests in files that the series of *request* changes, run on its kernel.

    The kernel is built once more, with KUnit and the options of these suites. Nothing if there is
    no such suite. A kernel that cannot be built or booted so is a case of its own.
    """
    if not reach.kunit:
        return ()
    with tempfile.TemporaryDirectory() as scratch:
        fragment = Path(scratch) / "kunit.config"
        fragment.write_text("".join(f"CONFIG_{one}=y\n" for one in ("KUNIT", *reach.kunit)))
        spec = replace(request.spec, fragments=(*request.spec.fragments, fragment))
        try:
            return tuple(_run(request, spec))
        except (ConfigError, BuildError) as fault:
            return (Case(PREFIX, Result.NOT_JUDGED, message=str(fault)),)


def _run(request: SuiteRequest, spec: KernelSpec) -> list[Case]:
    kernel = build_kernel(spec)
    qemu = find_qemu(request.qemu)
    devicetree = shaped_devicetree(qemu, DEFAULT_SHAPE, ram_size=request.ram_size)
    programs = build_initramfs(kernel, spec)
    machine = Machine(qemu, kernel, programs, devicetree, request.ram_size, append=APPEND)
    with step("KUnit tests of the series"):
        try:
            log = park(machine).boot_log
        except GuestError as fault:
            ended = Result.CRASH if isinstance(fault, GuestCrash) else Result.HANG
            return [Case(PREFIX, ended, message=explain(fault))]
    cases = kunit_cases(log.read_text(errors="replace").splitlines())
    none = Case(PREFIX, Result.NOT_JUDGED, message="the console shows no result of KUnit")
    return cases or [none]
