# SPDX-License-Identifier: Apache-2.0
"""Which properties have tests that reach a kernel function: measured, for the order of tests."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from packaging.version import Version

from harness.base.disk import write_whole
from harness.base.paths import cache_directory
from harness.base.properties import in_order
from harness.jobs.coverage.collector import COUNTS, properties_of_folder
from harness.jobs.coverage.counts import Counts, load_counts
from harness.jobs.coverage.layout import Layout, ProfiledFunction
from harness.kernel.source.version import parse_version
from harness.observe.memory import Symbols

FILE = "reached.json"

PREFIX = "__gcov0."
"""Begins the symbol of a function's arc counters (gcc 12, gcc/coverage.cc:build_var())."""


@dataclass(frozen=True)
class Reached:
    """What ran in the guests of the tests of each property, on Linux *release*.

    *functions*: for each function that ran, the ids of the properties whose tests run it most
    often. The boot of a parked guest does not count.
    """

    release: str
    functions: Mapping[str, tuple[str, ...]]

    @property
    def properties(self) -> frozenset[str]:
        """The properties whose tests reached any function."""
        return frozenset(one for ids in self.functions.values() for one in ids)

    def save(self, directory: Path) -> None:
        """Write it into *directory*."""
        write_whole(directory / FILE, json.dumps(asdict(self)))

    def order(self, touched: Iterable[str]) -> tuple[tuple[str, ...], ...]:
        """The properties to test first if *touched* change, those of the rarest function in front.

        A function that more than half of the properties reach does not choose any.
        """
        most = len(self.properties) / 2
        reaching = (set(self.functions.get(one, ())) for one in touched)
        groups: list[tuple[str, ...]] = []
        placed: set[str] = set()
        for ids in sorted((ids for ids in reaching if len(ids) <= most), key=len):
            groups.append(in_order(ids - placed))
            placed |= ids
        return tuple(group for group in groups if group)


def reached_by(directory: Path, layout: Layout, symbols: Symbols, release: str) -> Reached:
    """Read from the counts of all guests in *directory* which functions ran for each property."""
    names = [_function(symbols, one.counters[0].address) for one in _functions(layout)]
    guests: Counter[str] = Counter()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for folder in sorted(path for path in (directory / COUNTS).iterdir() if path.is_dir()):
        ids = properties_of_folder(folder)
        for counts in load_counts(folder):
            guests.update(ids)
            ran = _ran(layout, counts)
            for name in {name for name, some in zip(names, ran, strict=True) if some}:
                found[name].update(ids)
    return Reached(release, {name: _frequent(found[name], guests) for name in sorted(found)})


def _frequent(found: Mapping[str, int], guests: Mapping[str, int]) -> tuple[str, ...]:
    """The properties of which large shares of all *guests* are among those *found*.

    At least half of the largest share: a few tests do everything, and name most properties.
    """
    shares = {one: count / guests[one] for one, count in found.items()}
    least = max(shares.values(), default=0.0) / 2
    return in_order(one for one, share in shares.items() if share >= least)


def find_reached(version: Version) -> Reached | None:
    """The measurement of Linux *version* in the cache with the most properties, None without."""
    found = (_load(path) for path in sorted((cache_directory() / "coverage").glob(f"*/{FILE}")))
    alike = [one for one in found if parse_version(one.release) == version]
    return max(alike, key=lambda one: len(one.properties), default=None)


def _load(path: Path) -> Reached:
    stored = json.loads(path.read_text())
    functions = {name: tuple(ids) for name, ids in stored["functions"].items()}
    return Reached(stored["release"], functions)


def _functions(layout: Layout) -> Iterator[ProfiledFunction]:
    """The functions with counters, in their order."""
    return (one for unit in layout.units for one in unit.functions if one.counters)


def _ran(layout: Layout, counts: Counts) -> Iterator[bool]:
    """Whether each of the functions with counters ran."""
    left = iter(counts)
    for function in _functions(layout):
        length = sum(group.length for group in function.counters)
        yield any(list(islice(left, length)))


def _function(symbols: Symbols, address: int) -> str:
    """The name of the function whose arc counters are at *address*, without gcc's suffixes."""
    symbol = symbols.nearest(address)
    name = symbol.name if symbol else ""
    return name.removeprefix(PREFIX).partition(".")[0]
