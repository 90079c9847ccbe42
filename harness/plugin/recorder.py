# SPDX-License-Identifier: Apache-2.0
"""Keeps the last result of each VM test, for ``harness properties``."""

from datetime import UTC, datetime

import pytest

from harness.plugin.results import reported
from harness.plugin.session import kernel_key, runs_in_worker
from harness.results.last import LastResult, add_results

SUITE = "harness/suite/"
"""How the node ids of VM tests begin."""


def pytest_configure(config: pytest.Config) -> None:
    """Start with nothing, and collect where the reports come together."""
    if not runs_in_worker(config):
        config.pluginmanager.register(_Recorder(config), "last-results")


class _Recorder:
    """The results of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._results: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what a phase of a test has come to; a later phase has the last word."""
        result = reported(report)
        if result is not None and report.nodeid.startswith(SUITE):
            self._results[report.nodeid] = result.name

    def pytest_sessionfinish(self) -> None:
        """Write them down."""
        if self._results and kernel_key in self._config.stash:
            release = self._config.stash[kernel_key].release
            when = datetime.now(UTC).isoformat(timespec="seconds")
            add_results(
                {test: LastResult(one, release, when) for test, one in self._results.items()}
            )
