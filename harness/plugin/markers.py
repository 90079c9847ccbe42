# SPDX-License-Identifier: Apache-2.0
"""Markers of VM tests: all of them declared; which tests run, and which kernels they apply to."""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.base.changes import CHANGES
from harness.base.paths import CHECKOUT, SUITE
from harness.base.result import Result
from harness.kernel import Kernel
from harness.kernel.abilities import FEATURE, abilities_of
from harness.kernel.changes import has_change
from harness.machine.binary import Qemu
from harness.results import TIERS

MARKERS = (
    "property(*ids, control=False): the properties of restricted DMA that a VM test proves; a "
    "control shows that without protection the same attack succeeds",
    "any_kernel(reason): tests the harness and the host, whatever the kernel: not in the default "
    "tier",
    "nightly(reason): runs with --tier=nightly and --tier=all only",
    "on_request(reason): runs with --tier=all only",
    "needs(reason, since=version, change=name, before=name, config=option, types=bool, "
    "qemu=feature): skipped unless the kernel is of this version or newer, has this change of "
    "harness/base/changes.py, does not have that one, is built with this option, for example "
    "SWIOTLB_DYNAMIC=y, has debugging information, and QEMU has this feature, a name of "
    "harness/machine/capabilities.py",
    "finding(name, kernels, change=name, config=option, sometimes=why, ends=results): these "
    "kernels, for example '>=6.1,<6.9', if they have this change and are built with this option, "
    "violate the property, as the entry of that name in docs/findings.md says; "
    "sometimes: why not every run shows it; ends: how the test ends then, if not with FAIL, for "
    "example ('CRASH',)",
    "any_shape(*shapes): runs on each of these shapes, and on the one of --shape, which runs no "
    "other tests; a parameter 'user' is then a device of it, else none",
    "absent(): about a part of a shape that the one of --shape does not have; not run",
    "escape(id): shows a way around a pool that is not guaranteed to be closed; never a failure",
    "tries(reason): a device tries what the fence refuses; it must have refused something",
    "disables(reason): the test disables the fence itself, and must have",
    "expects_report(pattern): the kernel may print a report whose title or first line matches",
    "breaks(id, reason): the test breaks this property itself, and the oracles must find that",
    "unexamined(reason): the test leaves a guest that the oracles cannot examine",
    "selftest(reason): tests the harness, as all of harness/suite/selftest do: a failure is an "
    "ERROR",
)

TIER_OF = {"any_kernel": "selftest", "nightly": "nightly", "on_request": "all"}
"""The first tier that a test with the marker belongs to."""

TYPES = frozenset({"types", "known_types"})
"""Fixtures of tests that read the kernel's own structures."""

SELFTESTS = f"{SUITE}selftest/"
"""How the node ids of tests of the harness begin."""

FINDINGS = CHECKOUT / "docs/findings.md"

PACKAGED = "debian "
"""Prefix of ``Kernel.source`` for a kernel as a distribution ships it."""

kernel_of_item = pytest.StashKey[Kernel]()


DEBUG_INFORMATION = "a vmlinux with debugging information"


@dataclass(frozen=True)
class Needs:
    """The marker of that name: what a test cannot do without, and the *reason*.

    *since* is a version of Linux, *config* an option of the kernel with its value, *qemu* a name of
    harness/machine/capabilities.py. *change* is a name of harness/base/changes.py that the kernel
    must have, *before* one that it must not have. *types* is whether the types of its memory must
    be known; a test with a fixture that reads them need not say so.
    """

    reason: str
    since: str = "0"
    config: str = ""
    qemu: str = ""
    change: str = ""
    before: str = ""
    types: bool = False

    def missing(self, kernel: Kernel, qemu: Qemu) -> str:
        """The first of it that *kernel* or *qemu* lacks; empty if there is nothing."""
        return next(self._missing(kernel, qemu), "")

    def _missing(self, kernel: Kernel, qemu: Qemu) -> Iterator[str]:
        abilities = abilities_of(kernel)
        if abilities.version < Version(self.since):
            yield f"Linux {self.since}"
        if self.change and not has_change(kernel, self.change):
            yield f"Linux {CHANGES[self.change].since}, or its change '{self.change}'"
        if self.before and has_change(kernel, self.before):
            yield f"a Linux before {CHANGES[self.before].since}, without '{self.before}'"
        if not abilities.has(self.config):
            yield f"CONFIG_{self.config}"
        if self.types and not abilities.types:
            yield DEBUG_INFORMATION
        if self.qemu and qemu.capabilities.lacking([self.qemu]):
            yield f"a QEMU with {self.qemu}"


@dataclass(frozen=True)
class Lacking:
    """What a test needs and does not have, and the *reason* why it needs that."""

    what: str
    reason: str


@dataclass(frozen=True)
class ExpectedFinding:
    """A finding of docs/findings.md that a test is expected to show on its kernel.

    *sometimes* says why not every run shows it; empty if every run does. *seen* is whether it was
    seen on this very kernel, without any change. *ends* are the results with which it shows: a
    test that ends otherwise shows something else.
    """

    name: str
    sometimes: str
    seen: bool
    ends: tuple[Result, ...]

    @property
    def must_show(self) -> bool:
        """Whether a test that passes means that docs/findings.md or the harness is wrong."""
        return self.seen and not self.sometimes

    @property
    def notice(self) -> str:
        """The line to print if the test passes."""
        if self.sometimes:
            return f"Finding {self.name} did not show in this run: {self.sometimes}."
        return (
            f"Unexpected pass: finding {self.name} did not reproduce on this kernel "
            "(docs/findings.md)."
        )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of a higher tier than ``--tier``, and others than an option asks for."""
    highest = TIERS.index(config.getoption("--tier"))
    if findings := set(config.getoption("--finding")):
        chosen = [item for item in items if findings & _findings(item)]
    else:
        chosen = [item for item in items if TIERS.index(tier_of(item)) <= highest]
    if config.getoption("--shape"):
        chosen = [item for item in chosen if item.get_closest_marker("any_shape")]
    if len(chosen) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen


def _findings(item: pytest.Item) -> set[str]:
    """The findings that a test is expected to show on some kernel."""
    return {str(mark.args[0]) for mark in item.iter_markers("finding")}


def named_properties(item: pytest.Item) -> tuple[str, ...]:
    """The ids of the properties that a test is about, and of the limits that it shows."""
    marks = (mark for mark in item.iter_markers() if mark.name in ("property", "escape"))
    return tuple(str(one) for mark in marks for one in mark.args)


def tier_of(item: pytest.Item) -> str:
    """The first tier that has this test."""
    tiers = [tier for marker, tier in TIER_OF.items() if item.get_closest_marker(marker)]
    return max(tiers, key=TIERS.index, default=TIERS[0])


def is_selftest(item: pytest.Item) -> bool:
    """Whether a failure of the test is the harness's fault, and not the kernel's."""
    return item.nodeid.startswith(SELFTESTS) or item.get_closest_marker("selftest") is not None


def runs_on(item: pytest.Item, kernel: Kernel, qemu: Qemu) -> None:
    """Store the kernel of a test; skip the test if kernel or QEMU lack what it needs."""
    item.stash[kernel_of_item] = kernel
    if lacking := lacking_for(item, kernel, qemu):
        pytest.skip(f"needs {lacking.what}: {lacking.reason}")


def lacking_for(item: pytest.Item, kernel: Kernel, qemu: Qemu) -> Lacking | None:
    """The first thing that a test needs and *kernel* or *qemu* lack; None if there is nothing."""
    wanted = [Needs(*mark.args, **mark.kwargs) for mark in item.iter_markers("needs")]
    if not any(one.config.startswith(f"{FEATURE}=") for one in wanted):
        wanted.insert(0, Needs("it tests restricted pools", config=f"{FEATURE}=y"))
    for needs in wanted:
        if missing := needs.missing(kernel, qemu):
            return Lacking(missing, needs.reason)
    if not kernel.types:
        if item.get_closest_marker("breaks"):
            return Lacking(DEBUG_INFORMATION, "the memory oracles must report what it breaks")
        if not TYPES.isdisjoint(getattr(item, "fixturenames", ())):
            return Lacking(DEBUG_INFORMATION, "it reads the kernel's own structures")
    return None


def known_finding(item: pytest.Item) -> ExpectedFinding | None:
    """The finding that says why a test fails on its kernel; None if none does."""
    kernel = item.stash.get(kernel_of_item, None)
    if kernel is None:
        return None
    for mark in item.iter_markers("finding"):
        abilities = abilities_of(kernel)
        change = mark.kwargs.get("change", "")
        affected = abilities.version in SpecifierSet(mark.kwargs["kernels"])
        affected = affected and (not change or has_change(kernel, change))
        if affected and abilities.has(mark.kwargs.get("config", "")):
            name = str(mark.args[0])
            shipped = kernel.source.startswith(PACKAGED) and not kernel.series
            seen = shipped and str(abilities.version) in seen_on(name)
            ends = tuple(Result(one) for one in mark.kwargs.get("ends", (Result.FAIL,)))
            return ExpectedFinding(name, mark.kwargs.get("sometimes", ""), seen, ends)
    return None


@functools.cache
def seen_on(finding: str) -> frozenset[str]:
    """The versions of kernels that docs/findings.md says the finding was seen on."""
    _, _, entry = FINDINGS.read_text().partition(f"\n## {finding}\n")
    entry, _, _ = entry.partition("\n## ")
    said = re.findall(r"seen on ([^;|]*)", entry, re.IGNORECASE)
    return frozenset(re.findall(r"\d+(?:\.\d+)+", " ".join(said)))
