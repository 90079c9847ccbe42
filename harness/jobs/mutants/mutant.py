# SPDX-License-Identifier: Apache-2.0
"""Mutants: patches in tests/mutants/ with a header that describes the bug.

The header is like a mail's; the order of its fields does not matter::

    Subject: swiotlb: what an author who makes this mistake would write
    Class: stale-leak
    Breaks: B3 B4
    Seen-by: what it takes to see it
    Tier: default
    Kernel: debian:trixie-backports/linux-source-7.3
    Flavour: dynamic
    Harmless: yes

``Tier`` is ``default`` or ``nightly (the reason)``: the set of tests that must fail. ``Flavour``
is left out for the plain kernel, ``Kernel``, as the option ``--kernel`` has it, for the default
one. A harmless refactoring has ``Harmless`` instead of ``Breaks``,
and its class is ``harmless``.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import HeaderParser
from fnmatch import fnmatch
from pathlib import Path

from harness.base.errors import InputError
from harness.base.paths import CHECKOUT
from harness.base.properties import PROPERTIES
from harness.kernel import KernelSpec
from harness.kernel.spec import DEFAULT_SOURCE

MUTANTS = CHECKOUT / "tests/mutants"

HARMLESS = "harmless"
CLASSES = frozenset(
    {
        "escape",  # memory outside the pool is used, or the pool's is given to others
        "fail-open",  # what must be refused, or must be restricted, is not
        "attachment",  # the wrong device has the pool, or the right one has not
        "stale-leak",  # bytes of an earlier user become visible
        "stray-copy",  # bytes are copied without a request
        "lost-sync",  # requested bytes are not copied
        "partial-sync",  # of a part of a mapping the wrong bytes are copied
        "overlap",  # two live users of one slot
        "misalignment",  # the address is not what the device needs
        "false-exhaustion",  # a fit exists, and the kernel says full
        "fallback",  # the pool is full, and other memory is taken
        "slot-leak",  # what is freed does not come back
        "cache",  # a line is not cleaned or invalidated, or too early, or too late
        "accounting",  # the kernel says something else than it does
        "hang",  # a lock is held, or a loop runs, forever
        "crash",  # an odd devicetree ends the kernel
        "race",  # two CPUs at once
        HARMLESS,
    }
)

TIERS = ("default", "nightly")

_TIER = re.compile(r"default|nightly \(\S.*\)", re.DOTALL)
_NAME = re.compile(r"(\d{2,3})-(.+)")


@dataclass(frozen=True)
class Mutant:
    """One mutant; *breaks* holds the ids of the properties, none for a harmless one."""

    path: Path
    subject: str
    kind: str
    breaks: tuple[str, ...]
    seen_by: str
    tier: str
    flavour: str
    kernel: str = DEFAULT_SOURCE

    @property
    def name(self) -> str:
        """The file's name without its suffix; begins with a number."""
        return self.path.stem

    @property
    def number(self) -> int:
        """What its name begins with."""
        return int(self.name.partition("-")[0])

    @property
    def harmless(self) -> bool:
        """Whether the kernel keeps all its properties with this patch."""
        return self.kind == HARMLESS

    @property
    def spec(self) -> KernelSpec:
        """The kernel with this mutant in it."""
        return KernelSpec(self.kernel, series=(self.path,), flavour=self.flavour)


def read_mutants(patterns: Sequence[str] = (), directory: Path = MUTANTS) -> list[Mutant]:
    """Every mutant, or those whose number, name or glob is in *patterns*, by number.

    Raises InputError for an invalid header, and for a pattern that matches nothing.
    """
    every = sorted(map(read_mutant, directory.glob("*.patch")), key=lambda one: one.number)
    for pattern in patterns:
        if not any(_matches(mutant, pattern) for mutant in every):
            raise InputError(f"no mutant in {directory} is called '{pattern}'.")
    return [one for one in every if not patterns or any(_matches(one, p) for p in patterns)]


def read_mutant(path: Path) -> Mutant:
    """Read one; raises InputError that names everything that is wrong with its header."""
    header = HeaderParser().parsestr(path.read_text())
    faults = list(_faults(path, header))
    if faults:
        raise InputError(f"the header of {path} is wrong: {'; '.join(faults)}.")
    return Mutant(
        path=path,
        subject=_field(header, "Subject"),
        kind=_field(header, "Class"),
        breaks=tuple(_field(header, "Breaks").split()),
        seen_by=_field(header, "Seen-by"),
        tier=_field(header, "Tier").partition(" ")[0],
        flavour=_field(header, "Flavour"),
        kernel=_field(header, "Kernel") or DEFAULT_SOURCE,
    )


def _field(header: Message, name: str) -> str:
    """A field in one line, empty if it is not there."""
    return " ".join(str(header.get(name, "")).split())


def _faults(path: Path, header: Message) -> Iterator[str]:
    kind, breaks = _field(header, "Class"), _field(header, "Breaks").split()
    name = _NAME.fullmatch(path.stem)
    if name is None or not name[2].startswith(f"{kind}-"):
        yield f"the file must be called NN-{kind}-NAME.patch"
    if kind not in CLASSES:
        yield f"'{kind}' is not a class; expected one of {', '.join(sorted(CLASSES))}"
    if (kind == HARMLESS) != (_field(header, "Harmless") == "yes"):
        yield "'Harmless: yes' and the class 'harmless' go together"
    if (kind == HARMLESS) == bool(breaks):
        yield "it must break a property unless it is harmless"
    yield from (f"unknown property '{one}'" for one in breaks if one not in PROPERTIES)
    yield from (f"no {name}" for name in ("Subject", "Seen-by") if not _field(header, name))
    if _TIER.fullmatch(_field(header, "Tier")) is None:
        yield "Tier must be 'default' or 'nightly (the reason)'"


def _matches(mutant: Mutant, pattern: str) -> bool:
    return mutant.name.startswith(f"{pattern}-") or fnmatch(mutant.name, pattern)
