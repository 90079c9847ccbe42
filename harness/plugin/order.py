# SPDX-License-Identifier: Apache-2.0
"""The order of tests: first those that find most bugs in the shortest time.

A broken kernel is known in seconds then. The tests of ``--first`` come before these, the fewest of
one property or function in front, all others after them in pytest's order, those with several CPUs
apart from each other.
``--last-failed``, ``--failed-first`` and ``--new-first`` of pytest sort after this.
"""

import math
from collections.abc import Sequence

import pytest

from harness.plugin.markers import named_properties
from harness.results.kills import best_order, read_kills
from harness.results.reached import Reached, read_reached, without_parameters

AT_ONCE = 1
"""Most tests that pytest-xdist sends to a worker at once. It would give the first dozens to the
first worker, to be run one after the other."""


def pytest_configure(config: pytest.Config) -> None:
    """Let the workers of pytest-xdist take the tests in their order."""
    if getattr(config.option, "maxschedchunk", AT_ONCE) is None:
        config.option.maxschedchunk = AT_ONCE


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sort the tests."""
    ranks = {test: rank for rank, test in enumerate(best_order(read_kills()))}
    first = [item for item in items if item.nodeid in ranks]
    others = [item for item in items if item.nodeid not in ranks]
    ranked = [*sorted(first, key=lambda item: ranks[item.nodeid]), *_crowded_apart(others)]
    if names := config.getoption("--first"):
        reached = read_reached()
        chosen = [_chosen(name, reached, items) for name in names]
        ranked = sorted(ranked, key=lambda item: _rarity(item, chosen))
    items[:] = ranked


def _chosen(name: str, reached: Reached, items: Sequence[pytest.Item]) -> frozenset[str]:
    """The node ids of *items* of a property, or that reach a kernel function."""
    reaching = reached.functions.get(name, frozenset())
    return frozenset(
        item.nodeid
        for item in items
        if name in named_properties(item) or without_parameters(item.nodeid) in reaching
    )


def _rarity(item: pytest.Item, chosen: Sequence[frozenset[str]]) -> float:
    """The size of the smallest set with a test; infinity for a test in none."""
    return min((len(some) for some in chosen if item.nodeid in some), default=math.inf)


def _crowded_apart(items: Sequence[pytest.Item]) -> Sequence[pytest.Item]:
    """The same tests, those whose guests have several CPUs at even distances.

    Side by side, the guests would have many more CPUs than the host: while one is kept from its CPU
    with a lock held, the others of its guest spin. Three such tests together took 44 s, one after
    the other 22 s.
    """
    crowded = [item for item in items if _cpus(item) > 1]
    others = [item for item in items if _cpus(item) == 1]
    for number, item in enumerate(crowded, 1):
        others.insert(number * len(items) // (len(crowded) + 1), item)
    return others


def _cpus(item: pytest.Item) -> int:
    """The CPUs of the guest that a test asks for."""
    if not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
        return 1
    cpus = item.callspec.params.get("cpus", 1)
    return cpus if isinstance(cpus, int) else 1
