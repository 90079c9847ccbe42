# SPDX-License-Identifier: Apache-2.0
"""A machine has the CPU that its kernel needs."""

from pathlib import Path

import pytest

from harness.kernel import Kernel
from harness.machine.cpu import PAGES_16K, PLAIN, TAGS, Cpu, cpu_for


@pytest.mark.parametrize(
    ("flags", "config", "cpu"),
    [
        (0xA, "CONFIG_KASAN=y", PLAIN),
        (0xC, "", PAGES_16K),
        (0xE, "", PLAIN),
        (0xA, "CONFIG_KASAN_HW_TAGS=y", TAGS),
        (0xC, "CONFIG_KASAN_HW_TAGS=y", TAGS),
        (0xC, "# CONFIG_KASAN_HW_TAGS is not set", PAGES_16K),
    ],
)
def test_the_cpu_follows_what_the_kernel_needs(
    tmp_path: Path, flags: int, config: str, cpu: Cpu
) -> None:
    (tmp_path / "Image").write_bytes(bytes(24) + bytes([flags]) + bytes(39))
    (tmp_path / "config").write_text(f"{config}\n")

    assert cpu_for(Kernel("key", tmp_path, "6.12", "c0ffee", "a tree", (), "gcc")) == cpu
