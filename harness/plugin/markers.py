# SPDX-License-Identifier: Apache-2.0
"""The markers of VM tests, and the tests that a kernel is too old for."""

import re

import pytest

from harness.plugin.session import kernel_key


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for line in (
        "property(*ids, control=False): the promises of restricted DMA that a VM test proves; a "
        "control shows that without protection the same attack succeeds",
        "since(version, commit): the kernel has what is tested since this version",
        "expects_report(pattern): the kernel may print a report that the pattern matches",
    ):
        config.addinivalue_line("markers", line)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the kernel under test is too old for."""
    for mark in item.iter_markers("since"):
        version, commit = mark.args
        if _numbers(item.config.stash[kernel_key].release) < _numbers(version):
            pytest.skip(f"new in {version} ({commit})")


def _numbers(release: str) -> tuple[int, ...]:
    """The leading numbers of a kernel release: 6.12.117-rc1 is (6, 12, 117)."""
    return tuple(int(word) for word in re.findall(r"\d+", release.partition("-")[0]))
