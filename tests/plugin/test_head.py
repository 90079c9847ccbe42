# SPDX-License-Identifier: Apache-2.0
"""A run begins with what its kernel is and what built it."""

from pathlib import Path

import pytest

from harness.kernel import Kernel
from harness.plugin.head import pytest_report_header
from harness.plugin.session import kernel_key

GCC = "aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0"


class Config:
    """pytest's configuration, as far as the head reads it."""

    def __init__(self, kernel: Kernel | None) -> None:
        self.stash = pytest.Stash()
        if kernel is not None:
            self.stash[kernel_key] = kernel


def head(kernel: Kernel | None) -> list[str]:
    return pytest_report_header(Config(kernel))  # type: ignore[arg-type] # stands for a Config


def test_kernel_and_compiler_are_named(tmp_path: Path) -> None:
    kernel = Kernel(
        *("key", tmp_path, "6.12.3", "c0ffee", "a tree", ("fix.patch",), GCC),
        flavour="kasan",
        fragments=("my.config",),
    )

    assert head(kernel) == [
        "kernel: Linux 6.12.3, a tree, flavour kasan, my.config, fix.patch",
        f"compiler: {GCC}",
    ]


def test_a_kernel_without_types_is_told_to_have_no_memory_oracles(tmp_path: Path) -> None:
    kernel = Kernel("key", tmp_path, "6.12.3", "c0ffee", "a tree", (), GCC, types=False)

    assert head(kernel)[2:] == [
        "no debugging information: the memory oracles (slots, leaks, stale bytes, page owners) are "
        "off"
    ]


def test_a_run_without_a_kernel_has_no_head() -> None:
    assert head(None) == []
