# SPDX-License-Identifier: Apache-2.0
"""Find the QEMU binary, identify it, and check that it can run guests of the harness."""

import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from harness.base.errors import HostError
from harness.base.tools import find_tool, run_tool
from harness.machine.capabilities import Capabilities, capabilities_of

DEFAULT = "qemu-system-aarch64"

OLDEST = (7, 2)
"""Debian 12's version, the oldest that the harness is tested with."""


@dataclass(frozen=True)
class Qemu:
    """One QEMU binary; *banner* is the first line of ``--version``."""

    path: Path
    version: tuple[int, int]
    banner: str
    capabilities: Capabilities = field(default_factory=Capabilities)

    @property
    def key(self) -> str:
        """Identifies the binary for caches: its version text, size and time of change."""
        stat = self.path.stat()
        return f"{self.banner} {stat.st_size} {stat.st_mtime_ns}"


def parse_version(banner: str) -> tuple[int, int] | None:
    """Read major and minor from ``QEMU emulator version 7.2.22 (...)``; None if not QEMU's."""
    found = re.match(r"QEMU emulator version (\d+)\.(\d+)", banner)
    return (int(found[1]), int(found[2])) if found else None


@cache
def find_qemu(program: str = DEFAULT) -> Qemu:
    """Find and identify *program*.

    Raises HostError when it is missing, not QEMU, too old, or was built without what every guest
    needs.
    """
    path = find_tool(program)
    banner = run_tool([path, "--version"]).decode(errors="replace").partition("\n")[0]
    version = parse_version(banner)
    if version is None:
        raise HostError(
            f"{path} is not QEMU: --version says {banner!r}. Name a {DEFAULT} with --qemu=PATH"
        )
    if version < OLDEST:
        raise HostError(
            f"{path} is QEMU {version[0]}.{version[1]}; {OLDEST[0]}.{OLDEST[1]} or newer is "
            "needed. Install a newer one, or name one with --qemu=PATH"
        )
    qemu = Qemu(path.resolve(), version, banner)
    capabilities = capabilities_of(qemu.path, qemu.key)
    if missing := capabilities.missing:
        raise HostError(
            f"{path} ({banner}) cannot run a guest: it lacks {', '.join(missing)}. "
            "Install qemu-system-arm, or name another QEMU with --qemu=PATH"
        )
    return replace(qemu, capabilities=capabilities)
