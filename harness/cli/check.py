# SPDX-License-Identifier: Apache-2.0
"""``harness check``: whether the drivers of a kernel keep their DMA inside their pool."""

import argparse
import json

from harness.base.space import MIB
from harness.cli.machines import add_config_options, add_qemu_option, add_series_option, spec_of
from harness.cli.outputs import add_output
from harness.devices.drivers import DRIVERS
from harness.jobs.check import as_json, check_kernel, check_text, find_driver
from harness.jobs.check.check_machine import RAM_SIZE, SHAPE, confined
from harness.kernel import build_kernel, helptext
from harness.machine.binary import find_qemu
from harness.machine.shape import parse_ram_size

DESCRIPTION = """\
Boot a kernel, as it is, on a machine with a restricted pool for PCI devices and a fence that
refuses them all other memory. Have the kernel's own drivers use their devices, and say for each
whether all of its DMA was inside the pool. No probe module is loaded. Exit code 0: all devices are
inside; 1: one is outside, or does not work; 2: one could not be judged."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    known = ", ".join(driver.name for driver in DRIVERS)
    parser = subparsers.add_parser(
        "check",
        help="say whether the drivers of a kernel keep their DMA inside a pool",
        description=DESCRIPTION,
    )
    parser.add_argument("kernel", metavar="KERNEL", help=helptext.KERNEL)
    parser.add_argument(
        "--device",
        action="append",
        default=[],
        metavar="NAME",
        dest="devices",
        help=f"check only this one: {known}; may be repeated",
    )
    parser.add_argument(
        "--shape",
        default=SHAPE,
        metavar="NAME|FILE",
        help=f"devicetree overlay of dts/, or a file of yours (default: {SHAPE})",
    )
    parser.add_argument(
        "--machine-memory",
        default=f"{RAM_SIZE // MIB}M",
        metavar="SIZE",
        help="RAM of the guest, for example 1G (default: %(default)s)",
    )
    add_series_option(parser)
    add_config_options(parser)
    add_qemu_option(parser)
    add_output(parser, "--json", "write the answers as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check the kernel and print the answers."""
    asked = [find_driver(name) for name in arguments.devices]
    ram_size = parse_ram_size(arguments.machine_memory)
    qemu = find_qemu(arguments.qemu)
    # before the build, so that a wrong shape is said at once
    around = confined(qemu, arguments.shape, ram_size)
    spec = spec_of(arguments)
    check = check_kernel(qemu, build_kernel(spec), around, asked, spec.given)
    print(check_text(check))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(check), indent=1) + "\n")
    return check.verdict.exit_code
