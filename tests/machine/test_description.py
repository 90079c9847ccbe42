# SPDX-License-Identifier: Apache-2.0
"""A machine that was written into a directory comes back, or it is said what is missing."""

from pathlib import Path

import pytest

from harness.base.address_range import AddressRange
from harness.base.cache.layout import MACHINE_RECORD
from harness.base.errors import InputError
from harness.base.space import MIB
from harness.kernel import Initramfs, Kernel
from harness.kernel.spec import KernelRecord, load_kernel
from harness.machine.binary import Qemu
from harness.machine.description import load_machine, save_machine
from harness.machine.devicetree import Devicetree, DynamicPool, Pool
from harness.machine.fence import fence_named
from harness.machine.machine import Machine
from harness.machine.virtio import VirtioDevice

POOL = Pool(0x4F00_0000, 16 * MIB, "restricted-dma@4f000000", "pool", ("/probe-a", "/probe-b"))
DYNAMIC = DynamicPool("restricted-dma", 4 * MIB, 2 * MIB, "late", ("/pcie@10000000",))


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    directory = tmp_path / "kernel"
    directory.mkdir()
    KernelRecord("6.12.0", "c0ffee", "a tree", ("a.patch",), "gcc 12", ("a patch",), "", ()).save(
        directory
    )
    return load_kernel(directory)


@pytest.fixture
def machine(tmp_path: Path, kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> Machine:
    qemu = Qemu(tmp_path / "qemu", (7, 2), "QEMU emulator version 7.2.0")
    monkeypatch.setattr("harness.machine.description.find_qemu", lambda _: qemu)
    archive = tmp_path / "initramfs.cpio"
    archive.touch()
    devicetree = Devicetree(b"blob", (POOL,), (DYNAMIC,), ("probes", "pool-shared"))
    initramfs = Initramfs(archive, "key")
    return Machine(
        qemu,
        kernel,
        initramfs,
        devicetree,
        512 * MIB,
        2,
        ports=3,
        append="quiet",
        virtio=(VirtioDevice("rng", 3, access_platform=False),),
        iommu=True,
        fence=fence_named("smmu", [AddressRange(0x4F00_0000, 0x100_0000)], 3),
        share_all=True,
    )


@pytest.fixture
def artifacts(tmp_path: Path, machine: Machine) -> Path:
    directory = tmp_path / "artifacts"
    directory.mkdir()
    save_machine(machine, directory)
    return directory


def test_a_machine_comes_back_as_it_was(machine: Machine, artifacts: Path) -> None:
    assert load_machine(artifacts) == machine


def test_a_directory_without_a_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read a machine from.*machine\.json"):
        load_machine(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", '{"kernel": "/k"}'])
def test_a_damaged_description_is_refused(artifacts: Path, content: str) -> None:
    (artifacts / MACHINE_RECORD).write_text(content)

    with pytest.raises(InputError, match="cannot read a machine from"):
        load_machine(artifacts)


@pytest.mark.parametrize("part", ["kernel", "initramfs.cpio"])
def test_a_part_that_was_pruned_is_named(tmp_path: Path, artifacts: Path, part: str) -> None:
    (tmp_path / part).rename(tmp_path / "gone")

    with pytest.raises(InputError, match=f"{part} is no longer in the cache"):
        load_machine(artifacts)
