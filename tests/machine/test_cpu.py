# SPDX-License-Identifier: Apache-2.0
"""A machine has the CPU that its kernel needs, as far as its QEMU has it."""

from pathlib import Path

import pytest

from harness.kernel import Kernel
from harness.machine import memory_tags
from harness.machine.binary import Qemu
from harness.machine.cpu import PAGES_16K, PLAIN, TAGS, Cpu, cpu_for
from harness.machine.memory_tags import STORES_WRONG

QEMU = Qemu(Path("qemu"), (7, 2), "QEMU")

KASAN, TAGGED = "CONFIG_KASAN=y", "CONFIG_KASAN_HW_TAGS=y"
UNTAGGED = "# CONFIG_KASAN_HW_TAGS is not set"
PAGES_OF_4K, PAGES_OF_16K, PAGES_OF_64K = 0xA, 0xC, 0xE
"""The flags of an arm64 image (Documentation/arch/arm64/booting.rst)."""


def made_kernel(folder: Path, flags: int, config: str) -> Kernel:
    (folder / "Image").write_bytes(bytes(24) + bytes([flags]) + bytes(39))
    (folder / "config").write_text(f"{config}\n")
    return Kernel("key", folder, "6.12", "c0ffee", "a tree", (), "gcc")


@pytest.mark.parametrize(
    ("flags", "config", "fault", "cpu"),
    [
        (PAGES_OF_4K, TAGGED, "", TAGS),
        (PAGES_OF_16K, TAGGED, "", TAGS),
        (PAGES_OF_4K, TAGGED, STORES_WRONG, PLAIN),
        (PAGES_OF_16K, TAGGED, STORES_WRONG, PAGES_16K),
        (PAGES_OF_64K, TAGGED, STORES_WRONG, PLAIN),
    ],
)
def test_a_kernel_with_tags_has_them_where_qemu_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int, config: str, fault: str, cpu: Cpu
) -> None:
    monkeypatch.setattr(memory_tags, "tags_fault", lambda _: fault)

    assert cpu_for(made_kernel(tmp_path, flags, config), QEMU) == cpu


@pytest.mark.parametrize(
    ("flags", "config", "cpu"),
    [
        (PAGES_OF_4K, KASAN, PLAIN),
        (PAGES_OF_16K, "", PAGES_16K),
        (PAGES_OF_64K, "", PLAIN),
        (PAGES_OF_16K, UNTAGGED, PAGES_16K),
    ],
)
def test_for_a_kernel_without_tags_qemu_is_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: int, config: str, cpu: Cpu
) -> None:
    monkeypatch.setattr(memory_tags, "tags_fault", lambda _: pytest.fail("it was asked"))

    assert cpu_for(made_kernel(tmp_path, flags, config), QEMU) == cpu
