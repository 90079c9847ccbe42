# SPDX-License-Identifier: Apache-2.0
"""The busybox of guests: a file that the user names, or that of the Debian package."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.base.cache import digest
from harness.base.errors import InputError, SourceError
from harness.kernel.source.apt import extract_package, find_package

PACKAGE = "busybox-static"
"""The Debian package of the guest's shell and tools."""

OVERRIDE = "HARNESS_BUSYBOX"
"""The environment variable with a busybox for guests, on a system without apt."""


@dataclass(frozen=True)
class Busybox:
    """The program; *name* is for a person, *key* a hash of its content or its package."""

    name: str
    key: str
    read: Callable[[], bytes]


def find_busybox() -> Busybox:
    """Return the busybox of guests.

    Raises InputError when HARNESS_BUSYBOX is not a static program for arm64, SourceError or
    HostError when there is no package of it.
    """
    if given := os.environ.get(OVERRIDE):
        path = Path(given)
        _check(path)
        return Busybox(given, digest(path), path.read_bytes)
    package = find_package(PACKAGE)
    name = f"{package.name} {package.version}, for arm64"
    return Busybox(name, package.sha256, lambda: _unpacked(package.fetch()))


def _check(path: Path) -> None:
    """Raise InputError unless *path* is a static program for arm64."""
    try:
        with path.open("rb") as file:
            elf = ELFFile(file)
            machine = elf["e_machine"]
            dynamic = any(one["p_type"] == "PT_INTERP" for one in elf.iter_segments())
    except OSError as fault:
        raise _bad(path, str(fault.strerror).lower()) from fault
    except ELFError as fault:
        raise _bad(path, "it is not an ELF file") from fault
    if machine != "EM_AARCH64":
        raise _bad(path, f"it is a program for {machine.removeprefix('EM_').lower()}")
    if dynamic:
        raise _bad(path, "it is linked dynamically, and guests have no libraries")


def _bad(path: Path, why: str) -> InputError:
    return InputError(
        f"{OVERRIDE}={path} cannot be the busybox of guests: {why}. Name a static program for arm64"
    )


def _unpacked(deb: Path) -> bytes:
    """Return the program of the package: in /bin, since Debian 13 in /usr/bin."""
    with tempfile.TemporaryDirectory() as scratch:
        extract_package(deb, Path(scratch))
        programs = list(Path(scratch).glob("**/bin/busybox"))
        if not programs:
            raise SourceError(f"{deb.name} does not contain bin/busybox or usr/bin/busybox")
        return programs[0].read_bytes()
