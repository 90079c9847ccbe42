# SPDX-License-Identifier: Apache-2.0
"""Which changes of Linux a built kernel has: by their signs in it, else by its version."""

import functools
import mmap
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from harness.base.changes import CHANGES, NEWEST_READ, Change, Sign, SignKind
from harness.kernel.dwarf import types_in
from harness.kernel.source.version import parse_version
from harness.kernel.spec import Kernel

LANDMARK = "start_kernel"
"""A function of every kernel: without its name a vmlinux has no symbols."""


@dataclass(frozen=True)
class Basis:
    """Whether a kernel has a change, and whether it showed that itself (*by_sign*)."""

    has: bool
    by_sign: bool


def has_change(kernel: Kernel, name: str) -> bool:
    """Whether *kernel* has the change of that name (harness/base/changes.py)."""
    return change_basis(kernel.vmlinux, kernel.release, CHANGES[name]).has


def changes_of(kernel: Kernel) -> frozenset[str]:
    """The names of all changes that *kernel* has."""
    return frozenset(name for name in CHANGES if has_change(kernel, name))


def newer_than_read(release: str) -> str:
    """A notice for a kernel that is newer than what was read; empty for others."""
    numbers = parse_version(release).release
    newest = Version(NEWEST_READ).release
    if numbers[: len(newest)] <= newest:
        return ""
    return (
        f"Linux {release} is newer than {NEWEST_READ}, the newest that the properties were read "
        f"in: the rules of {NEWEST_READ} apply. If a test fails, the kernel may guarantee "
        "something else now (harness/base/changes.py)."
    )


@functools.cache
def change_basis(vmlinux: Path, release: str, change: Change) -> Basis:
    """Whether the kernel of *vmlinux*, of that *release*, has *change*.

    The version decides where there is no sign, no vmlinux, or no DWARF for a member.
    """
    shown = _shows(vmlinux, change.sign) if change.sign else None
    if shown is not None:
        return Basis(shown, by_sign=True)
    return Basis(parse_version(release) >= Version(change.since), by_sign=False)


def _shows(vmlinux: Path, sign: Sign) -> bool | None:
    """Whether the kernel shows *sign*; None if that cannot be seen."""
    if not vmlinux.is_file() or not vmlinux.stat().st_size:
        return None
    if sign.kind is SignKind.MEMBER:
        return _has_member(vmlinux, *sign.name.split("."))
    with vmlinux.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        if sign.kind is SignKind.TEXT:
            return whole.find(sign.name.encode()) >= 0
        # names in the symbol table end with a zero byte; one may be the end of a longer one
        found, named = (whole.find(b"\0%b\0" % one.encode()) >= 0 for one in (sign.name, LANDMARK))
        return found if found or named else None


def _has_member(vmlinux: Path, structure: str, member: str) -> bool | None:
    try:
        return bool(types_in(vmlinux).type(f"struct {structure}").has_member(member))
    except LookupError:
        return None
