# SPDX-License-Identifier: Apache-2.0
"""What can be searched beside a git repository: the positions of a series, a list of kernels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from harness.base.cache import digest
from harness.base.errors import InputError
from harness.jobs.bisect.search import Candidate, Found, Known, next_of
from harness.kernel import KernelSpec
from harness.kernel.patches.series import Series, store_prefix
from harness.kernel.source.sources import pin_source, resolve_source
from harness.kernel.source.suites import candidates


@dataclass(frozen=True)
class Line:
    """Kernels in a row, the good one first and the bad one last."""

    kernels: tuple[Candidate, ...]
    identity: str

    @property
    def good(self) -> str:
        """The name of the first."""
        return self.kernels[0].name

    @property
    def bad(self) -> str:
        """The name of the last."""
        return self.kernels[-1].name

    def next(self, known: Known) -> str | Found:
        """Halve the kernels that are left."""
        return next_of([one.name for one in self.kernels], known)

    def candidate(self, name: str) -> Candidate:
        """The kernel of that name."""
        return next(one for one in self.kernels if one.name == name)

    def log(self, known: Known) -> str:
        """One line for each."""
        return "\n".join(
            f"{word.value:5} {self.candidate(name).title}" for name, word in known.items()
        )


def series_line(spec: KernelSpec, series: Series, good: str, bad: str) -> Line:
    """The positions *good* to *bad* of *series* on top of *spec*; 0 is the base.

    Raises InputError unless they are positions of it, in this order.
    """
    last = len(series.patches)
    if not (good.isdecimal() and bad.isdecimal() and int(good) < int(bad) <= last):
        raise InputError(
            f"GOOD and BAD are {good} and {bad}. Expected positions of the series, the good one "
            f"first: 0 is the base, {last} the series with all its patches."
        )
    source = pin_source(spec.source)
    spec = replace(spec, source=source)
    kernels = tuple(
        Candidate(
            str(at), series.label(at), replace(spec, series=spec.series + store_prefix(series, at))
        )
        for at in range(int(good), int(bad) + 1)
    )
    patches = (mail.diff for mail in series.patches)
    return Line(kernels, digest("series", source, good, bad, *patches))


def kernels_line(spec: KernelSpec, good: str, bad: str, between: Sequence[str]) -> Line:
    """The kernels from *good* to *bad*: *between*, else the distribution's by their versions."""
    if good == bad:
        raise InputError(f"GOOD and BAD are both {good}. Expected two kernels.")
    names = [good, *(name for name in between if name not in (good, bad)), bad]
    if not between:
        names = [good, *_packages(good, bad), bad]
    pinned = [pin_source(name) for name in names]
    kernels = tuple(
        Candidate(name, name, replace(spec, source=source))
        for name, source in zip(names, pinned, strict=True)
    )
    return Line(kernels, digest("kernels", *pinned))


def _packages(good: str, bad: str) -> Sequence[str]:
    """The distribution's kernels whose versions lie between, the oldest first."""
    if not (good.startswith("debian:") and bad.startswith("debian:")):
        raise InputError(
            "cannot enumerate the kernels between these two. Name them, in order, with "
            "--kernels; or give two revisions of a repository, with --git."
        )
    first, last = (resolve_source(name).version for name in (good, bad))
    if not first < last:
        raise InputError(
            f"{bad} ({last}) is not newer than {good} ({first}). Name the kernels between them, in "
            "the order to search, with --kernels."
        )
    found: dict[Version, str] = {}
    for one in sorted(candidates(), key=lambda one: one.order):
        if first < one.order < last:
            found.setdefault(one.order, f"debian:{one.suite}/{one.package}")
    return list(found.values())
