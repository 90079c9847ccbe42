# SPDX-License-Identifier: Apache-2.0
"""Which tests ran a kernel function, from the counts of their guests."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from harness.jobs.coverage.collector import counts_of_tests
from harness.jobs.coverage.counts import Counts
from harness.jobs.coverage.layout import Layout, ProfiledFunction
from harness.observe.memory import Symbols
from harness.results.reached import Reached, without_parameters

PREFIX = "__gcov0."
"""Begins the symbol of a function's arc counters (gcc 12, gcc/coverage.cc:build_var())."""


def reached_by(directory: Path, layout: Layout, symbols: Symbols, release: str) -> Reached:
    """Read from the counts of all guests in *directory* which tests ran a function."""
    names = [_function(symbols, one.counters[0].address) for one in _functions(layout)]
    found: dict[str, set[str]] = defaultdict(set)
    for test, counts in counts_of_tests(directory):
        for name, ran in zip(names, _ran(layout, counts), strict=True):
            if ran:
                found[name].add(without_parameters(test))
    return Reached(release, {name: frozenset(found[name]) for name in sorted(found)})


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
