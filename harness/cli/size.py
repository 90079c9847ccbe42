# SPDX-License-Identifier: Apache-2.0
"""``harness size``: how large a pool the drivers of a kernel need, and what happens below."""

import argparse
import json

from harness.base.errors import InputError
from harness.cli.machines import add_cpus_option, add_kernel_options, spec_of
from harness.cli.outputs import add_output
from harness.cli.tables import print_table
from harness.devices.drivers import DRIVERS
from harness.jobs.check import find_driver
from harness.jobs.check.kernel_parts import KernelParts
from harness.jobs.size import (
    SizeBench,
    as_json,
    exit_code,
    measure,
    size_details,
    size_table,
)
from harness.kernel import build_kernel
from harness.machine.binary import find_qemu

DESCRIPTION = """\
Have drivers work in pools of different sizes, behind a fence, and say for each: the most slots in
use, read from the guest's memory; the largest mapping; the smallest pool with which the workload
ends, ends without errors, and runs at full speed (no mapping is refused, and the device is given as
much at once); what happens in a smaller pool, and who holds its slots. Pools are powers of two. A
disk answers only when the guest has nothing left to do, so that the numbers are the same
each time. Exit code 0: all are measured; 1: a device left its pool, does not work, or never ends
or rests in a way that docs/findings.md does not know; 2: one could not be measured."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    known = ", ".join(driver.name for driver in DRIVERS)
    parser = subparsers.add_parser(
        "size",
        help="measure how large a pool each driver needs, and what happens in a smaller one",
        description=DESCRIPTION,
    )
    add_kernel_options(parser)
    parser.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="NAME[,NAME]",
        dest="devices",
        help=f"measure only these: {known}; may be repeated. --flavour=drivers builds a kernel "
        "with all of them",
    )
    parser.add_argument(
        "--workload",
        default="",
        metavar="COMMAND",
        help="what the guest's shell does with each device; $NODE is its file, or its network card "
        "(default: direct reads and writes of 1 MiB, or 8 MiB each way)",
    )
    add_cpus_option(parser, ": several have requests at the same time")
    add_output(parser, "--json", "write the answers as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the table and what is known of each device."""
    asked = [find_driver(name.strip()) for names in arguments.devices for name in names.split(",")]
    workload = arguments.workload.strip()
    if workload and not asked:
        raise InputError("--workload is for the devices that --device names: name one")
    qemu = find_qemu(arguments.qemu)
    spec = spec_of(arguments)
    kernel = build_kernel(spec)
    bench = SizeBench(qemu, kernel, KernelParts(kernel, spec.given), arguments.cpus, workload)
    found = [measure(bench, driver) for driver in asked or DRIVERS]
    names = f"{kernel.release} ({kernel.source})", f"{qemu.banner}, {bench.cpus} CPU(s)"
    print("kernel  {}\nmachine {}".format(*names))
    print_table(size_table(found))
    print(size_details(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(*names, found), indent=1) + "\n")
    return exit_code(found)
