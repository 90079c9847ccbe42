# SPDX-License-Identifier: Apache-2.0
"""Command line options of ``pytest harness/``."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from harness.kernel import KernelSpec, default_fragments, helptext
from harness.machine.machine import DEFAULT_RAM, MIB
from harness.machine.qemu.qemu import DEFAULT as DEFAULT_QEMU
from harness.machine.shape import parse_ram_size

KEEP = ("failed", "all", "none")

TIERS = ("default", "nightly", "all")
"""Sets of tests; each contains the one before it."""

TIER_HELP = (
    "set of tests: default, for every change; nightly, also slow ones; all, also those that only "
    "run on request"
)


@dataclass(frozen=True)
class Settings:
    """The options, parsed; *ram_size* in bytes."""

    spec: KernelSpec
    qemu: str
    ram_size: int
    keep: str


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
        metavar="PATCHES",
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
        help=helptext.FLAVOUR,
    )
    group.addoption(
        "--tier",
        choices=TIERS,
        default="default",
        help=TIER_HELP,
    )
    group.addoption(
        "--property",
        action="append",
        default=[],
        metavar="ID",
        help="run only tests of this property, for example B1; may be repeated",
    )
    group.addoption("--qemu", default=DEFAULT_QEMU, metavar="PROGRAM", help="QEMU binary")
    group.addoption(
        "--machine-memory",
        default=f"{DEFAULT_RAM // MIB}M",
        metavar="SIZE",
        help="RAM of each guest, for example 1G (default and minimum: 256M)",
    )
    group.addoption(
        "--keep",
        choices=KEEP,
        default="failed",
        help="keep logs and memory of the guests of these tests (default: failed)",
    )


def settings(config: pytest.Config) -> Settings:
    """Read the options; raise InputError for one that is invalid."""
    extra = tuple(Path(name) for name in config.getoption("--kernel-config"))
    spec = KernelSpec(
        source=cast(str, config.getoption("--kernel")),
        series=tuple(Path(name) for name in config.getoption("--series")),
        fragments=(*default_fragments(), *extra),
        flavour=cast(str, config.getoption("--flavour")),
    )
    return Settings(
        spec=spec,
        qemu=cast(str, config.getoption("--qemu")),
        ram_size=parse_ram_size(cast(str, config.getoption("--machine-memory"))),
        keep=cast(str, config.getoption("--keep")),
    )
