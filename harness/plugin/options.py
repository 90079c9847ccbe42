# SPDX-License-Identifier: Apache-2.0
"""Command line options of ``pytest harness/``."""

import pytest

from harness.base.space import MIB
from harness.kernel import KernelSpec, helptext
from harness.kernel.build.compiler import compiler_of_environment
from harness.kernel.patches.origin import series_path
from harness.machine.binary import DEFAULT as DEFAULT_QEMU
from harness.machine.machine import DEFAULT_RAM
from harness.results import TIERS

KEEP = ("failed", "all", "none")

TIER_HELP = (
    "set of tests: default, for every kernel; selftest, also those of the harness on this host; "
    "nightly, also slow ones; all, also those that only run on request"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the VM suite."""
    group = parser.getgroup("harness", "restricted DMA harness")
    group.addoption(
        "--kernel",
        default=KernelSpec().source,
        metavar="SOURCE",
        help=helptext.KERNEL,
    )
    group.addoption(
        "--series",
        action="append",
        default=[],
        type=series_path,
        metavar="SERIES",
        help=helptext.SERIES,
    )
    group.addoption(
        "--kernel-config",
        action="append",
        default=[],
        metavar="FRAGMENT",
        help=helptext.KERNEL_CONFIG,
    )
    group.addoption(
        "--flavour",
        default="",
        metavar="NAME",
        help=f"{helptext.FLAVOUR}; auto: the one without which nothing of --series is compiled",
    )
    group.addoption(
        "--compiler",
        default=compiler_of_environment(),
        metavar="NAME",
        help=helptext.COMPILER,
    )
    group.addoption(
        "--tier",
        choices=TIERS,
        default=TIERS[0],
        help=TIER_HELP,
    )
    group.addoption(
        "--property",
        action="append",
        default=[],
        metavar="ID",
        help="run only tests of this property, for example B1; may be repeated",
    )
    group.addoption(
        "--finding",
        action="append",
        default=[],
        metavar="NAME",
        help="run the tests of this finding of docs/findings.md, whatever their tier; may be "
        "repeated",
    )
    group.addoption(
        "--first",
        action="append",
        default=[],
        metavar="NAME",
        help="run the tests of this property, or those that reach this kernel function "
        "(tests/reached.json), before all others; may be repeated: the fewest tests begin",
    )
    group.addoption("--qemu", default=DEFAULT_QEMU, metavar="PROGRAM", help="QEMU binary")
    group.addoption(
        "--machine-memory",
        default=f"{DEFAULT_RAM // MIB}M",
        metavar="SIZE",
        help="RAM of each guest, for example 1G (default and minimum: 256M)",
    )
    group.addoption(
        "--shape",
        default="",
        metavar="NAME|FILE",
        help="run only the tests that take any shape, on this devicetree overlay of dts/ or file",
    )
    group.addoption(
        "--keep",
        choices=KEEP,
        default="failed",
        help="keep logs and memory of the guests of these tests (default: failed)",
    )
