# SPDX-License-Identifier: Apache-2.0
"""``--coverage=DIRECTORY``: keep the gcov counters of every guest, for ``harness coverage``."""

from pathlib import Path

import pytest

from harness.jobs.coverage import Collector
from harness.machine.qemu.guest import Guest
from harness.plugin.session import kernel_key

_collector_key = pytest.StashKey[Collector]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("harness").addoption(
        "--coverage",
        type=Path,
        metavar="DIRECTORY",
        help="for 'harness coverage': write the counters of all guests to DIRECTORY",
    )


def watch(item: pytest.Item, guest: Guest) -> None:
    """With ``--coverage``, keep the counters of *guest*, which *item* has just started."""
    config = item.config
    directory = config.getoption("--coverage")
    if directory is None:
        return
    if _collector_key not in config.stash:
        config.stash[_collector_key] = Collector(directory, config.stash[kernel_key].vmlinux)
    config.stash[_collector_key].watch(guest, item.nodeid)
