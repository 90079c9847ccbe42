# SPDX-License-Identifier: Apache-2.0
"""The command line of ``pytest harness/``, and what it means."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from harness.kernel import KernelSpec, default_fragments
from harness.machine.machine import DEFAULT_RAM, MIB
from harness.machine.qemu.qemu import DEFAULT as DEFAULT_QEMU
from harness.machine.shape import parse_ram_size

KEEP = ("failed", "all", "none")

TIERS = ("default", "nightly", "all")
"""Sets of tests, each with the one before it."""


@dataclass(frozen=True)
class Settings:
    """What the user asked for; *ram_size* in bytes."""

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
        help="the kernel under test: debian:6.12 (the default), debian:6.1, a source directory, "
        "a tarball, or git:REPOSITORY@REVISION",
    )
    group.addoption(
        "--series",
        action="append",
        default=[],
        metavar="PATCHES",
        help="a patch file, mailbox or directory of patches to apply first; may be repeated",
    )
    group.addoption(
        "--kernel-config",
        action="append",
        default=[],
        metavar="FRAGMENT",
        help="a configuration fragment on top of kernel-config/; may be repeated",
    )
    group.addoption(
        "--flavour",
        default="",
        metavar="NAME",
        help="build the kernel with kernel-config/flavours/NAME.config, for example kasan",
    )
    group.addoption(
        "--tier",
        choices=TIERS,
        default="default",
        help="which tests: those of every change (the default), those of a night as well, or all",
    )
    group.addoption(
        "--property",
        action="append",
        default=[],
        metavar="ID",
        help="only tests that name this property, for example B1; may be repeated",
    )
    group.addoption("--qemu", default=DEFAULT_QEMU, metavar="PROGRAM", help="the QEMU to run")
    group.addoption(
        "--machine-memory",
        default=f"{DEFAULT_RAM // MIB}M",
        metavar="SIZE",
        help="RAM of every machine, for example 256M (the default and the least) or 1G",
    )
    group.addoption(
        "--keep",
        choices=KEEP,
        default="failed",
        help="of which tests the logs and the memory of the guests are kept (default: failed)",
    )


def settings(config: pytest.Config) -> Settings:
    """Read the options; raises InputError for one that makes no sense."""
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
