# SPDX-License-Identifier: Apache-2.0
"""What a kernel has for a device, by its configuration and its modules."""

import subprocess
from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.devices.drivers import DRIVERS
from harness.jobs.check import find_driver
from harness.jobs.check.kernel_parts import GUEST_PARTS, KernelParts, driver_name, refused_module
from harness.kernel import Kernel

AHCI = find_driver("ahci")

GUEST = "".join(f"CONFIG_{part.option}=y\n" for part in GUEST_PARTS)


def kernel_with(directory: Path, config: str) -> Kernel:
    (directory / "config").write_text(config)
    return Kernel("key", directory, "6.12", "00", "a package", (), "gcc")


def module(path: Path, depends: str) -> None:
    """A module of nothing but what it says of itself."""
    text = f'asm(".section .modinfo\\n .asciz \\"depends={depends}\\"");'
    command = ["gcc", "-c", "-x", "c", "-", "-o", path]
    subprocess.run(command, input=text.encode(), check=True)


def lacking(directory: Path, config: str) -> str:
    return KernelParts(kernel_with(directory, config)).lacking(AHCI.parts)


def test_a_driver_that_is_built_in_lacks_nothing(tmp_path: Path) -> None:
    assert lacking(tmp_path, "CONFIG_SATA_AHCI=y\nCONFIG_BLK_DEV_SD=y\n") == ""


def test_each_part_is_needed(tmp_path: Path) -> None:
    assert lacking(tmp_path, "CONFIG_SATA_AHCI=y\n") == "CONFIG_BLK_DEV_SD is not set"
    assert lacking(tmp_path, "") == "CONFIG_SATA_AHCI and CONFIG_BLK_DEV_SD are not set"


def test_a_module_needs_the_kernels_modules(tmp_path: Path) -> None:
    config = "CONFIG_SATA_AHCI=m\nCONFIG_BLK_DEV_SD=m\n"
    assert "CONFIG_SATA_AHCI=m, and the kernel came without its modules" in lacking(
        tmp_path, config
    )

    tree = tmp_path / "tree"
    tree.mkdir()
    parts = KernelParts(kernel_with(tmp_path, config), tree)
    assert parts.lacking(AHCI.parts) == ""
    assert parts.unloadable(AHCI.parts) == (
        "CONFIG_SATA_AHCI=m, and the kernel came without ahci.ko"
    )

    for name, depends in (("ahci", "libahci"), ("libahci", ""), ("sd-mod", "")):
        module(tree / f"{name}.ko", depends)
    parts = KernelParts(kernel_with(tmp_path, config), tree)
    assert parts.unloadable(AHCI.parts) == ""
    assert [one.name for one in parts.modules] == ["libahci", "ahci", "sd_mod"]

    (tree / "libahci.ko").unlink()
    parts = KernelParts(kernel_with(tmp_path, config), tree)
    assert "CONFIG_SATA_AHCI=m, and the module ahci needs the module libahci" in parts.unloadable(
        AHCI.parts
    )
    assert parts.modules == ()


def test_the_feature_is_an_option(tmp_path: Path) -> None:
    assert KernelParts(kernel_with(tmp_path, "CONFIG_DMA_RESTRICTED_POOL=y\n")).feature
    unset = "# CONFIG_DMA_RESTRICTED_POOL is not set\n"
    assert not KernelParts(kernel_with(tmp_path, unset)).feature


@pytest.mark.parametrize("part", GUEST_PARTS, ids=lambda part: part.option)
def test_a_kernel_that_cannot_run_here_is_refused_with_the_option(
    tmp_path: Path, part: object
) -> None:
    option = part.option  # type: ignore[attr-defined] # pytest's parameter has no type
    KernelParts(kernel_with(tmp_path, GUEST)).require_guest()

    with pytest.raises(InputError, match=f"6.12 cannot run in the harness: CONFIG_{option} is not"):
        KernelParts(
            kernel_with(tmp_path, GUEST.replace(f"CONFIG_{option}=y\n", ""))
        ).require_guest()


def test_a_module_that_the_kernel_refuses_is_named_with_the_kernels_reason() -> None:
    log = [
        "[    0.9] ahci: disagrees about version of symbol module_layout",
        "loader: loading /lib/modules/ahci.ko: Exec format error",
    ]

    assert refused_module(AHCI, log) == (
        "the kernel refused its module ahci: Exec format error; "
        "[    0.9] ahci: disagrees about version of symbol module_layout"
    )
    assert refused_module(find_driver("nvme"), log) == ""


def test_what_the_kernel_says_of_a_module_before_it_knows_it_is_found() -> None:
    said = "[    0.9] module ahci: .gnu.linkonce.this_module section size must match"
    log = [said, "loader: loading /lib/modules/ahci.ko: Exec format error"]

    assert refused_module(AHCI, log).endswith(f"Exec format error; {said}")


def test_the_driver_on_the_bus_is_named_and_the_one_that_uses_it() -> None:
    assert {driver.name: driver_name(driver) for driver in DRIVERS} == {
        "virtio-blk": "virtio-pci with virtio_blk",
        "virtio-net": "virtio-pci with virtio_net",
        "virtio-rng": "virtio-pci with virtio_rng",
        "nvme": "nvme",
        "e1000e": "e1000e",
        "ahci": "ahci",
        "sdhci": "sdhci-pci",
        "xhci": "xhci_hcd with usb_storage",
    }


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown device 'floppy': expected one of virtio-blk, "):
        find_driver("floppy")
