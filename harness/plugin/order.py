# SPDX-License-Identifier: Apache-2.0
"""The order of tests: first those that find most bugs in the shortest time.

A broken kernel is known in seconds then. The other tests follow in pytest's order.
``--last-failed``, ``--failed-first`` and ``--new-first`` of pytest sort after this.
"""

import pytest

from harness.results.kills import best_order, read_kills

AT_ONCE = 1
"""Most tests that pytest-xdist sends to a worker at once. It would give the first dozens to the
first worker, to be run one after the other."""


def pytest_configure(config: pytest.Config) -> None:
    """Let the workers of pytest-xdist take the tests in their order."""
    if getattr(config.option, "maxschedchunk", AT_ONCE) is None:
        config.option.maxschedchunk = AT_ONCE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the tests."""
    ranks = {test: rank for rank, test in enumerate(best_order(read_kills()))}
    items.sort(key=lambda item: ranks.get(item.nodeid, len(ranks)))
