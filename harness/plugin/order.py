# SPDX-License-Identifier: Apache-2.0
"""The order of tests: first those that find most bugs in the shortest time.

A broken kernel is known in seconds then. The tests of the properties of ``--first`` come before
these, in the order of these options, all others after them in pytest's order, those with several
CPUs apart from each other.
``--last-failed``, ``--failed-first`` and ``--new-first`` of pytest sort after this.
"""

from collections.abc import Sequence

import pytest

from harness.plugin.markers import named_properties
from harness.results.kills import best_order, read_kills

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
    groups = [set(group.split(",")) for group in config.getoption("--first")]
    items[:] = sorted(ranked, key=lambda item: _group(groups, item))


def _group(groups: Sequence[set[str]], item: pytest.Item) -> int:
    """The number of the first group with a property of a test; for other tests, the last one."""
    named = named_properties(item)
    return next((at for at, one in enumerate(groups) if one.intersection(named)), len(groups))


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
