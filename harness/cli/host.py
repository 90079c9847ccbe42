# SPDX-License-Identifier: Apache-2.0
"""Check what the harness needs on this machine, and how to get what is missing."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base.architecture import NO_KVM
from harness.base.cache.budget import VARIABLE, cache_budget
from harness.base.cache.usage import read_usage
from harness.base.cpus import guests_at_once, usable_cpus
from harness.base.errors import HarnessError, HostError, InputError, ToolError
from harness.base.paths import cache_directory
from harness.base.space import GIB, MIB, free_space, size_text
from harness.base.tools import APT, PACKAGES, has_apt, how_to_install, is_present, run_tool
from harness.kernel.build.build import BUILD_SIZE
from harness.kernel.build.busybox import find_busybox
from harness.kernel.source.archive import SOURCE_SIZE
from harness.machine.binary import find_qemu
from harness.machine.qemu.rundir import leftovers
from harness.machine.qemu.runroot import choose_run_root

MEMORY_SIZE = 2 * GIB
"""Bytes of RAM to link a kernel with DWARF, or to run two guests and search their memory."""

MEMINFO = Path("/proc/meminfo")


@dataclass(frozen=True)
class Check:
    """A check of this machine: what it found, and the *remedy* if that is not enough."""

    name: str
    found: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing has to be done."""
        return not self.remedy


def examine() -> Iterator[Check]:
    """Check everything, in the order in which a first run needs it."""
    yield from packages()
    yield python_packages()
    yield qemu()
    yield Check("accelerator", NO_KVM)
    yield busybox()
    yield cores()
    yield memory()
    yield caches()
    yield run_directories()
    yield abandoned()


def packages() -> Iterator[Check]:
    """Check every program and file that a Debian package provides."""
    for needed, package in PACKAGES.items():
        if is_present(needed):
            yield Check(needed, shutil.which(needed) or needed)
        elif has_apt() or package not in APT:
            yield Check(needed, "not found", how_to_install(package))


def python_packages() -> Check:
    """Check the versions of the Python packages."""
    name = "Python packages"
    try:
        run_tool([sys.executable, "-m", "pip", "check"])
    except ToolError as fault:
        return Check(name, str(fault), "rm -r .venv && scripts/setup")
    return Check(name, f"as pyproject.toml demands, in {sys.prefix}")


def qemu() -> Check:
    """Check that QEMU is new enough."""
    try:
        found = find_qemu()
    except HostError as fault:
        return Check("QEMU", str(fault), "sudo apt-get install qemu-system-arm")
    return Check("QEMU", found.banner)


def busybox() -> Check:
    """Check that there is the program that guests run: given, or in the package sources."""
    name = "busybox of guests"
    try:
        found = find_busybox()
    except HarnessError as fault:
        return Check(name, "not found", str(fault))
    return Check(name, found.name)


def cores() -> Check:
    """Report how many processors this process may use."""
    return Check("cores", f"{usable_cpus()}: scripts/run uses -n {guests_at_once()}")


def memory() -> Check:
    """Check the memory that is available without swapping."""
    fields = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    remedy = f"end other programs; the harness needs {MEMORY_SIZE // MIB} MiB"
    return Check("memory", f"{available // MIB} MiB", "" if available >= MEMORY_SIZE else remedy)


def caches() -> Check:
    """Check the free space for the caches."""
    name = "disk for the caches"
    try:
        place = cache_directory()
        budget = size_text(cache_budget(read_usage().total))
        check = space(name, place, SOURCE_SIZE + BUILD_SIZE)
        return replace(check, found=f"{check.found}; the cache takes at most {budget}")
    except InputError as fault:
        return Check(name, str(fault), f"unset {VARIABLE}")
    except HostError as fault:
        return Check(name, "none", str(fault))


def space(name: str, place: Path, wanted: int) -> Check:
    """Check the free space on the file system of *place*; *wanted* in bytes."""
    free = free_space(place)
    found = f"{free // MIB} MiB free at {place}"
    if free >= wanted:
        return Check(name, found)
    remedy = f"free {(wanted - free) // MIB + 1} MiB there, or set HARNESS_CACHE elsewhere"
    return Check(name, found, remedy)


def run_directories() -> Check:
    """Say where run directories are made, and why there, for as many guests as scripts/run has."""
    try:
        root = choose_run_root(guests_at_once())
    except HostError as fault:
        return Check("run directories", "no place", str(fault))
    return Check("run directories", f"{root.path} ({root.why})")


def abandoned() -> Check:
    """Report run directories that a killed run left; the next run removes them."""
    found = list(leftovers())
    names = ", ".join(path.name for path in found)
    return Check("left over", f"{names} (the next run removes them)" if found else "nothing")
