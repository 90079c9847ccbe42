# SPDX-License-Identifier: Apache-2.0
"""Check a kernel: whether the DMA of its own drivers stays inside their pool."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from harness.base.errors import InputError
from harness.base.progress import step
from harness.devices.drivers import DRIVERS, Driver
from harness.jobs.check.answers import DeviceAnswer, DeviceState, KernelCheck
from harness.jobs.check.check_device import check_device, check_device_at_boot
from harness.jobs.check.check_machine import Confined, check_machine, pools_of
from harness.jobs.check.kernel_parts import KernelParts, driver_name, refused_module
from harness.jobs.check.pool_state import pool_answer
from harness.kernel import Kernel
from harness.machine.binary import Qemu
from harness.machine.machine import Machine
from harness.machine.qemu.console import read_log
from harness.machine.qemu.snapshot import park


def find_driver(name: str) -> Driver:
    """The driver of the device with that name; raises InputError if there is none."""
    for driver in DRIVERS:
        if driver.name == name:
            return driver
    known = ", ".join(driver.name for driver in DRIVERS)
    raise InputError(f"unknown device '{name}': expected one of {known}")


def check_kernel(
    qemu: Qemu,
    kernel: Kernel,
    around: Confined,
    asked: Sequence[Driver] = (),
    tree: Path | None = None,
) -> KernelCheck:
    """Check the devices of the drivers *asked* for, or of all.

    *tree* is where *kernel* was built, with its modules, for a kernel that has none of its own.
    Raises InputError if the kernel cannot run the check, GuestCrash or GuestHang if it does not
    boot.
    """
    parts = KernelParts(kernel, tree)
    machine = check_machine(qemu, kernel, parts, around)
    with step(f"booting {kernel.release}"):
        snapshot = park(machine)
    log = read_log(snapshot.boot_log)
    answers = []
    for driver in dict.fromkeys(asked or DRIVERS):
        known = partial(DeviceAnswer, driver.name, driver_name(driver))
        if reason := parts.lacking(driver.parts) or _no_device(qemu, driver):
            answers.append(known(DeviceState.LACKING, reason))
        elif reason := parts.unloadable(driver.parts) or refused_module(driver, log):
            answers.append(known(DeviceState.UNBOUND, reason))
        else:
            with step(f"checking {driver.name}"):
                answers.append(
                    check_device(snapshot, driver)
                    if parts.hotplug
                    else check_device_at_boot(machine, driver)
                )
    pools = pools_of(machine.devicetree.pools)
    return KernelCheck(
        kernel=f"{kernel.release} ({kernel.source})",
        machine=_describe(machine),
        built=parts.feature,
        pools=tuple(pool_answer(pool, log, parts.feature) for pool in pools),
        devices=tuple(answers),
        asked=tuple(driver.name for driver in asked),
    )


def _no_device(qemu: Qemu, driver: Driver) -> str:
    """Why QEMU has not the driver's device; empty if it has."""
    lacking = qemu.capabilities.lacking(driver.devices)
    return f"this QEMU has no device {', '.join(lacking)}" if lacking else ""


def _describe(machine: Machine) -> str:
    shape = machine.devicetree.overlays[-1]
    return f"{machine.qemu.banner}, {machine.cpu.model}, {shape}"
