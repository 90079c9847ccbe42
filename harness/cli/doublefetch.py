# SPDX-License-Identifier: Apache-2.0
"""``harness doublefetch``: find double fetches of drivers from a pool."""

import argparse

from harness.base.errors import InputError
from harness.base.progress import step
from harness.cli.machines import add_machine_options, machine_of
from harness.cli.outputs import add_output
from harness.jobs.double_fetch import (
    TARGETS,
    DoubleFetchReport,
    Target,
    available,
    find_target,
    watch_target,
)
from harness.kernel import Kernel
from harness.machine.qemu.snapshot import park


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    known = ", ".join(driver.name for driver in TARGETS)
    parser = subparsers.add_parser(
        "doublefetch",
        help="find double fetches: drivers that read the same bytes of a pool twice",
        description="Make requests of drivers under a QEMU plugin that records every access of "
        "the kernel to a pool. Report each place where a driver reads the same bytes twice, or "
        "reads back what it wrote: a device can change them in between. Whether that is harmful "
        "is for a person to judge, so the exit code is 0.",
    )
    parser.add_argument(
        "drivers", nargs="*", metavar="DRIVER", help=f"{known} (default: all that the kernel has)"
    )
    add_machine_options(parser)
    add_output(parser, "--json", "write the result as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Watch the drivers and print their double fetches for a person to judge: exit code 0."""
    wanted = [find_target(name) for name in arguments.drivers]
    machine = machine_of(arguments)
    drivers = _chosen(wanted, machine.kernel)
    with step("watching " + ", ".join(driver.name for driver in drivers)):
        snapshot = park(machine)
        reports = tuple(watch_target(snapshot, driver) for driver in drivers)
    report = DoubleFetchReport(machine.kernel.release, machine.qemu.banner, reports)
    print(report.text())
    if arguments.json:
        report.save(arguments.json)
    return 0


def _chosen(wanted: list[Target], kernel: Kernel) -> list[Target]:
    """*wanted*, or all that *kernel* has. Raises InputError for a driver that it lacks."""
    there = available(kernel)
    for driver in wanted:
        if driver not in there:
            raise InputError(
                f"the kernel has no driver for {driver.name}: CONFIG_{driver.option} is not set. "
                "--kernel-config=FRAGMENT or --flavour=NAME can set it"
            )
    if not wanted and not there:
        raise InputError("the kernel has none of the known drivers")
    return wanted or list(there)
