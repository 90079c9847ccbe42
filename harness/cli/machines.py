# SPDX-License-Identifier: Apache-2.0
"""Options that describe a machine, for every sub-command that starts one."""

import argparse
from pathlib import Path

from harness.base.space import MIB
from harness.kernel import (
    Initramfs,
    Kernel,
    KernelSpec,
    build_initramfs,
    build_kernel,
    default_fragments,
    helptext,
)
from harness.kernel.build.compiler import compiler_of_environment
from harness.kernel.patches.origin import series_path
from harness.kernel.spec import DEFAULT_SOURCE
from harness.machine.binary import DEFAULT as DEFAULT_QEMU
from harness.machine.binary import Qemu, find_qemu
from harness.machine.machine import DEFAULT_RAM, Machine
from harness.machine.shape import DEFAULT_SHAPE, parse_ram_size, shaped_devicetree

MOST_CPUS = 8
"""CONFIG_NR_CPUS in kernel-config/base.config."""


def add_kernel_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which kernel, and which QEMU; :func:`kernel_of` reads them."""
    add_source_option(parser)
    add_series_option(parser)
    add_config_options(parser)
    add_qemu_option(parser)


def add_source_option(parser: argparse.ArgumentParser, text: str = helptext.KERNEL) -> None:
    """Add ``--kernel``, with *text* as its help."""
    parser.add_argument("--kernel", default=DEFAULT_SOURCE, metavar="SOURCE", help=text)


def add_series_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--series``: patches to apply before the build."""
    parser.add_argument(
        "--series",
        action="append",
        default=[],
        type=series_path,
        metavar="SERIES",
        help=helptext.SERIES,
    )


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that change the kernel's configuration; :func:`fragments_of` reads one."""
    parser.add_argument(
        "--kernel-config",
        action="append",
        default=[],
        type=Path,
        metavar="FRAGMENT",
        help=helptext.KERNEL_CONFIG,
    )
    parser.add_argument("--flavour", default="", metavar="NAME", help=helptext.FLAVOUR)
    parser.add_argument(
        "--compiler", default=compiler_of_environment(), metavar="NAME", help=helptext.COMPILER
    )


def add_qemu_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--qemu``."""
    parser.add_argument(
        "--qemu",
        default=DEFAULT_QEMU,
        metavar="PROGRAM",
        help="QEMU binary (default: %(default)s)",
    )


def add_shape_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which devices have which pool."""
    parser.add_argument(
        "--shape",
        default=DEFAULT_SHAPE,
        metavar="NAME|FILE",
        help=f"devicetree overlay of dts/, a file of yours, or no-pool (default: {DEFAULT_SHAPE})",
    )


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options; :func:`machine_of` reads them."""
    add_kernel_options(parser)
    parser.add_argument(
        "--machine-memory",
        default=f"{DEFAULT_RAM // MIB}M",
        metavar="SIZE",
        help="RAM of the guest, for example 1G (default and minimum: %(default)s)",
    )
    add_shape_option(parser)
    add_cpus_option(parser)
    parser.add_argument(
        "--append", default="", metavar="WORDS", help="append to the kernel command line"
    )


def add_cpus_option(parser: argparse.ArgumentParser, why: str = "") -> None:
    """Add ``--cpus``; *why* a user would ask for more than one."""
    parser.add_argument(
        "--cpus",
        type=int,
        choices=range(1, MOST_CPUS + 1),
        default=1,
        metavar="N",
        help=f"CPUs of the guest, 1 to {MOST_CPUS}{why} (default: 1)",
    )


def spec_of(arguments: argparse.Namespace) -> KernelSpec:
    """The kernel that the options describe."""
    return KernelSpec(
        source=arguments.kernel,
        series=tuple(arguments.series),
        fragments=fragments_of(arguments),
        flavour=arguments.flavour,
        compiler=arguments.compiler,
    )


def fragments_of(arguments: argparse.Namespace) -> tuple[Path, ...]:
    """The configuration fragments: the default ones, then those of ``--kernel-config``."""
    return (*default_fragments(), *(path.resolve() for path in arguments.kernel_config))


def kernel_of(arguments: argparse.Namespace) -> tuple[Qemu, Kernel, Initramfs]:
    """Find QEMU; build the kernel and the guest programs, or load them from the cache."""
    qemu = find_qemu(arguments.qemu)
    spec = spec_of(arguments)
    kernel = build_kernel(spec)
    return qemu, kernel, build_initramfs(kernel, spec)


def machine_of(arguments: argparse.Namespace) -> Machine:
    """The machine that the options describe, built or loaded from the cache."""
    ram_size = parse_ram_size(arguments.machine_memory)
    qemu = find_qemu(arguments.qemu)  # before the build, so that a wrong option fails at once
    devicetree = shaped_devicetree(qemu, arguments.shape, ram_size=ram_size, cpus=arguments.cpus)
    _, kernel, initramfs = kernel_of(arguments)
    return Machine(
        qemu, kernel, initramfs, devicetree, ram_size, arguments.cpus, append=arguments.append
    )
