# SPDX-License-Identifier: Apache-2.0
"""The machine of a check: what a kernel cannot boot with is refused before it is tried."""

from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.base.paths import CHECKOUT
from harness.base.space import MIB
from harness.jobs.check.check_machine import check_machine, confined
from harness.jobs.check.kernel_parts import GUEST_PARTS, KernelParts
from harness.kernel import Kernel
from harness.machine.binary import find_qemu

INITRAMFS = "harness.jobs.check.check_machine.build_plain_initramfs"


def kernel(directory: Path, feature: str) -> Kernel:
    """A kernel of 32 MiB that has all that a guest needs."""
    options = [*(one.option for one in GUEST_PARTS), feature]
    (directory / "config").write_text("".join(f"CONFIG_{one}=y\n" for one in options))
    (directory / "Image").write_bytes(bytes(16) + (32 * MIB).to_bytes(8, "little") + bytes(40))
    return Kernel("key", directory, "6.12.117", "", "a kernel", (), "gcc")


def shape(directory: Path, base: int) -> Path:
    overlay = directory / "mine.dtso"
    text = (CHECKOUT / "dts/pool-pci-host.dtso").read_text()
    overlay.write_text(text.replace("4f000000", f"{base:x}"))
    return overlay


def started(directory: Path, base: int, feature: str = "DMA_RESTRICTED_POOL") -> None:
    made, qemu = kernel(directory, feature), find_qemu("qemu-system-aarch64")
    around = confined(qemu, shape(directory, base))
    check_machine(qemu, made, KernelParts(made), around)


@pytest.fixture(autouse=True)
def nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(*_: object) -> None:
        raise RuntimeError("the guest programs are built: the kernel is tried")

    monkeypatch.setattr(INITRAMFS, build)


def test_a_pool_over_the_kernel_is_refused_with_the_rule(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Linux 6\.12\.117 does not boot with .*\[over-loaded\]"):
        started(tmp_path, 0x4120_0000)


@pytest.mark.parametrize("base", [0x4220_0000, 0x4F00_0000])
def test_a_pool_behind_the_kernel_is_tried(base: int, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="is tried"):
        started(tmp_path, base)


def test_a_kernel_without_the_feature_boots_with_any_pool(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="is tried"):
        started(tmp_path, 0x4120_0000, "PCI")
