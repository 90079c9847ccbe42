# SPDX-License-Identifier: Apache-2.0
"""Keep the last result of each VM test, for ``harness properties``."""

from datetime import UTC, datetime

import pytest

from harness.plugin.results import reported
from harness.plugin.session import kernel_key, runs_in_worker
from harness.results.last import LastResult, add_results

SUITE = "harness/suite/"
"""Prefix of the node ids of VM tests."""


def pytest_configure(config: pytest.Config) -> None:
    """Register a recorder in the process that receives all reports."""
    if not runs_in_worker(config):
        config.pluginmanager.register(_Recorder(config), "last-results")


class _Recorder:
    """The results of one run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._results: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record the result of a phase of a test; a later phase overrides it."""
        result = reported(report)
        if result is not None and report.nodeid.startswith(SUITE):
            self._results[report.nodeid] = result.name

    def pytest_sessionfinish(self) -> None:
        """Write the results."""
        if self._results and kernel_key in self._config.stash:
            release = self._config.stash[kernel_key].release
            when = datetime.now(UTC).isoformat(timespec="seconds")
            add_results(
                {test: LastResult(one, release, when) for test, one in self._results.items()}
            )
