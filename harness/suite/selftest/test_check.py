# SPDX-License-Identifier: Apache-2.0
"""``harness check`` on real guests: what is inside, and what is outside and why."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.base.architecture import CROSS
from harness.base.errors import InputError
from harness.base.tools import has_apt, run_tool
from harness.devices.drivers import ENDPOINT
from harness.jobs.check import (
    DeviceState,
    PoolTreatment,
    check_kernel,
    check_text,
    confined,
    find_driver,
)
from harness.kernel import Kernel, KernelSpec, build_kernel
from harness.machine.binary import Qemu

pytestmark = pytest.mark.any_kernel("what a check of a kernel says")

BLK, RNG, NVME = map(find_driver, ("virtio-blk", "virtio-rng", "nvme"))

REFUSED = """\
/dts-v1/;
/plugin/;

&{/} {
	reserved-memory {
		#address-cells = <2>;
		#size-cells = <2>;
		ranges;

		pool: restricted-dma@4f000000 {
			compatible = "restricted-dma-pool";
			reg = <0x0 0x4f000000 0x0 0x1000000>;
			reusable;
		};
	};
};

&{/pcie@10000000} {
	memory-region = <&pool>;
};
"""
"""A pool that the kernel refuses, so that its devices are not restricted."""


@pytest.fixture
def refused(tmp_path: Path) -> Path:
    """The overlay file with REFUSED."""
    overlay = tmp_path / "odd.dtso"
    overlay.write_text(REFUSED)
    return overlay


def reconfigured(kernel: Kernel, directory: Path, config: str) -> Kernel:
    """The kernel in *directory*, which claims to have another configuration."""
    (directory / "Image").symlink_to(kernel.image)
    (directory / "config").write_text(config)
    return replace(kernel, directory=directory)


def test_drivers_that_use_their_pool_are_inside(qemu: Qemu, kernel: Kernel) -> None:
    """The virtio drivers of a kernel with restricted pools are inside: exit code 0."""
    check = check_kernel(qemu, kernel, confined(qemu), [BLK, RNG])

    assert [answer.state for answer in check.devices] == [DeviceState.INSIDE] * 2, check.devices
    assert [answer.state for answer in check.pools] == [PoolTreatment.RECOGNISED]
    assert check.verdict.exit_code == 0


def test_a_driver_whose_pool_is_refused_is_outside(
    qemu: Qemu, kernel: Kernel, refused: Path
) -> None:
    """The first refused access is told with the device, the address, and the kernel's reason."""
    check = check_kernel(qemu, kernel, confined(qemu, refused), [RNG])

    (pool,), (device,) = check.pools, check.devices
    assert pool.state is PoolTreatment.REFUSED, pool
    assert device.state is DeviceState.OUTSIDE, device
    assert device.escape is not None
    assert device.escape.first.device == ENDPOINT
    assert not pool.pool.contains(device.escape.first.address)
    assert check.verdict.exit_code == 1


def test_a_shape_with_which_the_kernel_does_not_boot_is_refused(
    qemu: Qemu, kernel: Kernel, tmp_path: Path
) -> None:
    """A pool over the kernel's image is refused with the rule of the lint, and nothing boots."""
    overlay = tmp_path / "over.dtso"
    overlay.write_text(REFUSED.replace("\t\t\treusable;\n", "").replace("4f000000", "40200000"))

    with pytest.raises(InputError, match=r"does not boot with --shape=over.*\[over-loaded\]"):
        check_kernel(qemu, kernel, confined(qemu, overlay), [RNG])


@pytest.mark.needs("the trace events of the DMA API", since="6.12")
def test_the_function_that_mapped_the_address_is_told(
    qemu: Qemu, kernel: Kernel, refused: Path
) -> None:
    """The trace events of the kernel name who mapped what the device was refused."""
    check = check_kernel(qemu, kernel, confined(qemu, refused), [RNG])

    escape = check.devices[0].escape
    assert escape is not None
    assert escape.origin is not None
    assert any("probe" in name for name in escape.origin.frames), escape.origin
    assert "vring" in escape.text


def test_a_module_that_the_kernel_refuses_is_told(
    qemu: Qemu, kernel: Kernel, tmp_path: Path
) -> None:
    """A driver whose module does not load is not judged: exit code 2."""
    source, module = tmp_path / "nvme.c", tmp_path / "modules/nvme.ko"
    source.write_text('const char info[] __attribute__((section(".modinfo"))) = "depends=";\n')
    module.parent.mkdir()
    run_tool([f"{CROSS}gcc", "-c", "-o", module, source])
    changed = reconfigured(kernel, tmp_path, kernel.config.read_text() + "CONFIG_BLK_DEV_NVME=m\n")

    check = check_kernel(qemu, changed, confined(qemu), [NVME])

    (device,) = check.devices
    assert device.state is DeviceState.UNBOUND
    assert "the kernel refused its module nvme: Exec format error" in device.detail
    assert check.verdict.exit_code == 2


@pytest.mark.parametrize("inside", [True, False], ids=["inside", "outside"])
def test_a_kernel_without_hot_plug_boots_with_each_device(
    qemu: Qemu, kernel: Kernel, tmp_path: Path, refused: Path, inside: bool
) -> None:
    """The answers are those of a kernel into which devices are plugged."""
    config = kernel.config.read_text().replace("CONFIG_HOTPLUG_PCI_PCIE=y", "")
    changed = reconfigured(kernel, tmp_path, config)
    around = confined(qemu) if inside else confined(qemu, refused)

    check = check_kernel(qemu, changed, around, [BLK])

    (device,) = check.devices
    assert device.state is (DeviceState.INSIDE if inside else DeviceState.OUTSIDE), device


def test_a_device_without_a_driver_is_not_judged(qemu: Qemu, kernel: Kernel) -> None:
    """A device that is asked for, and whose driver the kernel lacks: exit code 2."""
    check = check_kernel(qemu, kernel, confined(qemu), [RNG, NVME])

    assert [answer.state for answer in check.devices] == [DeviceState.INSIDE, DeviceState.LACKING]
    assert check.devices[1].detail == "CONFIG_BLK_DEV_NVME is not set"
    assert check.verdict.exit_code == 2


@pytest.mark.nightly("downloads a package")
@pytest.mark.skipif(not has_apt(), reason="no apt to find packages of Debian")
def test_a_shipped_kernel_without_the_feature_is_outside_with_its_own_modules(qemu: Qemu) -> None:
    """Debian's kernel for clouds ignores the pool, and its modules use all memory."""
    shipped = build_kernel(KernelSpec("package:linux-image-cloud-arm64"))

    check = check_kernel(qemu, shipped, confined(qemu))

    judged = [answer for answer in check.devices if answer.state is not DeviceState.LACKING]
    assert {"virtio-blk", "virtio-net", "nvme"} <= {answer.device for answer in judged}
    assert {answer.state for answer in judged} == {DeviceState.OUTSIDE}, judged
    assert [answer.state for answer in check.pools] == [PoolTreatment.IGNORED]
    assert "CONFIG_DMA_RESTRICTED_POOL is not set" in check_text(check)
    assert check.verdict.exit_code == 1
