# SPDX-License-Identifier: Apache-2.0
"""The repairs of docs/fixes: one directory a finding, with a patch for each kernel."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import InputError
from harness.base.paths import CHECKOUT

FIXES = CHECKOUT / "docs/fixes"

INDEX = "fixes.toml"


@dataclass(frozen=True)
class Fix:
    """The repair of *finding*: *patches* by kernel version, *needs* those applied before it.

    *flavour* is that of the kernel in which the finding shows; empty for the plain one.
    """

    finding: str
    patches: Mapping[str, Path]
    needs: tuple["Fix", ...] = ()
    flavour: str = ""

    def series(self, version: str) -> tuple[Path, ...]:
        """The patch for kernel *version*, after those that it needs."""
        needed = (path for one in self.needs for path in one.series(version))
        return (*dict.fromkeys(needed), self.patches[version])


@dataclass(frozen=True)
class Fixes:
    """All repairs in the order of one series, and the source of each kernel version.

    *upstream* is the commit that has repaired a finding already, and the version that has it.
    """

    fixes: tuple[Fix, ...]
    kernels: Mapping[str, str]
    upstream: Mapping[str, str]

    def named(self, names: Sequence[str]) -> tuple[Fix, ...]:
        """The repairs of findings *names*, all if empty; InputError for an unknown one."""
        known = {one.finding: one for one in self.fixes}
        for name in names:
            if name in self.upstream:
                raise InputError(f"{name} is repaired upstream by {self.upstream[name]}.")
            if name not in known:
                raise InputError(
                    f"there is no repair of '{name}'. Expected one of: {', '.join(known)}."
                )
        return tuple(known[name] for name in dict.fromkeys(names)) or self.fixes

    def shown_together(self, version: str) -> tuple[str, ...]:
        """The findings that one run of the plain kernel *version* shows."""
        return tuple(
            one.finding for one in self.fixes if version in one.patches and not one.flavour
        )

    def together(self, version: str) -> tuple[Path, ...]:
        """The patches of all repairs for kernel *version*, as one series."""
        return tuple(one.patches[version] for one in self.fixes if version in one.patches)


def read_fixes(directory: Path = FIXES) -> Fixes:
    """Read INDEX and the patches of *directory*."""
    index = tomllib.loads((directory / INDEX).read_text())
    made: dict[str, Fix] = {}
    for name in index["order"]:
        patches = {
            version: path
            for version in index["kernels"]
            if (path := directory / name / f"{version}.patch").is_file()
        }
        needs = tuple(made[one] for one in index["needs"].get(name, ()))
        made[name] = Fix(name, patches, needs, index["flavours"].get(name, ""))
    return Fixes(tuple(made.values()), index["kernels"], index["upstream"])
