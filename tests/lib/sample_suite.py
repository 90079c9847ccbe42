# SPDX-License-Identifier: Apache-2.0
"""Suites of a few tests that pytest runs with the project's plugin, without a guest."""

from pathlib import Path

KERNEL = """
from dataclasses import dataclass
from pathlib import Path

@dataclass(frozen=True)
class Kernel:
    series: tuple = ()
    release: str = "6.1.192"
    source: str = "debian linux-source-6.1"
    config: Path = Path("/dev/null")
    types: bool = False
"""
"""What a finding's mark asks of a kernel, as the beginning of a suite."""


def write_suite(root: Path, text: str) -> None:
    """Write *text* where pytest, started in *root* on ``harness``, takes it for the suite.

    It lies outside the project's own suite, so no kernel is built for it.
    """
    suite = root / "harness/suite"
    suite.mkdir(parents=True)
    (suite / "test_sample.py").write_text(text)
