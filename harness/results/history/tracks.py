# SPDX-License-Identifier: Apache-2.0
"""Which runs are comparable, and how two runs differ."""

import re
from dataclasses import dataclass, fields

from harness.results import Provenance

_PACKAGE = re.compile(r"((?:debian|package) \S+) \S+")
_REVISION = re.compile(r"(git .+) \([0-9a-f]+\)")
CLANG = "clang"

_QEMU = re.compile(r"\d+\.\d+")

CONSEQUENCES = ("kernel_key", "build_id")
"""Fields that follow from others: they differ when those do."""


@dataclass(frozen=True)
class Track:
    """Key that groups comparable runs: the later of two says whether a test got better or worse.

    *source* is the kernel source without version or commit, *qemu* the major and minor version,
    *compiler* is "clang" for a kernel that clang has built and else empty: a new version of the
    compiler is a change within a track.
    """

    source: str
    series: tuple[str, ...]
    flavour: str
    qemu: str
    compiler: str = ""

    def __str__(self) -> str:
        """Source, flavour, compiler, QEMU, series."""
        parts = [self.source, self.flavour, self.compiler, f"QEMU {self.qemu}", *self.series]
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class ProvenanceChange:
    """A field of the provenance that differs between two runs, and both values."""

    field: str
    good: str
    bad: str


def track_of(where: Provenance) -> Track:
    """The track of a run."""
    source = where.source
    for pattern in (_PACKAGE, _REVISION):
        found = pattern.fullmatch(source)
        source = found[1] if found else source
    found = _QEMU.search(where.qemu)
    release = found[0] if found else where.qemu
    compiler = CLANG if CLANG in where.compiler.lower() else ""
    return Track(source, where.series, where.flavour, release, compiler)


def differences(good: Provenance, bad: Provenance) -> tuple[ProvenanceChange, ...]:
    """Every field that differs, causes before consequences."""
    names = [field.name for field in fields(Provenance) if field.name not in CONSEQUENCES]
    pairs = [(name, _words(good, name), _words(bad, name)) for name in (*names, *CONSEQUENCES)]
    return tuple(ProvenanceChange(*pair) for pair in pairs if pair[1] != pair[2])


def _words(where: Provenance, name: str) -> str:
    value = getattr(where, name)
    return "\n".join(value) if isinstance(value, tuple) else str(value)
