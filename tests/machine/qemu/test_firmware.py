# SPDX-License-Identifier: Apache-2.0
"""A machine whose firmware starts the kernel has all of it loaded where the firmware looks."""

from dataclasses import replace
from pathlib import Path

import pytest
from devicetree_blobs import MACHINE, compiled

from harness.base.address_range import AddressRange
from harness.kernel import Initramfs
from harness.kernel.spec import KernelRecord, load_kernel
from harness.machine.binary import Qemu
from harness.machine.description import load_machine, save_machine
from harness.machine.devicetree import Devicetree
from harness.machine.devicetree.tree import Tree
from harness.machine.fence import fence_named
from harness.machine.machine import BLOB, Machine

RUN = Path("/run/x")
POOL = AddressRange(0x4F00_0000, 16 << 20)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    kernel = tmp_path / "kernel"
    kernel.mkdir()
    KernelRecord("6.12.0", "c0ffee", "a tree", (), "gcc 12", (), "", ()).save(kernel)
    (kernel / "Image").touch()
    archive = tmp_path / "initramfs.cpio"
    archive.write_bytes(bytes(1000))
    qemu = Qemu(tmp_path / "qemu", (7, 2), "QEMU emulator version 7.2.0")
    qemu.path.touch()
    monkeypatch.setattr("harness.machine.description.find_qemu", lambda _: qemu)
    return Machine(
        qemu,
        load_kernel(kernel),
        Initramfs(archive, "key"),
        Devicetree(compiled(MACHINE), (), (), ()),
        append="quiet",
        fence=fence_named("firmware", (POOL,), 2),
    )


def test_firmware_finds_kernel_initrd_and_devicetree_in_ram(machine: Machine) -> None:
    command = machine.command(RUN)

    assert not {"-kernel", "-initrd", "-append", "-dtb"} & set(command)
    for file, address in (
        (machine.kernel.image, "0x40200000"),
        (machine.initramfs.path, "0x48000000"),
        (RUN / BLOB, "0x4a000000"),
    ):
        assert f"loader,file={file},addr={address},force-raw=on" in command
    assert f"if=pflash,unit=0,format=raw,readonly=on,file={RUN}/flash-0" in command


def test_without_firmware_qemu_loads_them(machine: Machine) -> None:
    plain = replace(machine, fence=None)

    assert {"-kernel", "-initrd", "-append", "-dtb"} <= set(plain.command(RUN))
    assert "loader" not in " ".join(plain.command(RUN))
    assert plain.blob == plain.devicetree.blob


def test_the_devicetree_has_the_command_line_and_the_initrd(machine: Machine) -> None:
    chosen = Tree(machine.blob).find("/chosen")

    assert chosen is not None
    (words,) = chosen.strings("bootargs")
    assert words.endswith(" quiet")
    assert chosen.cells("linux,initrd-start", width=2) == (0x4800_0000,)
    assert chosen.cells("linux,initrd-end", width=2) == (0x4800_0000 + 1000,)


@pytest.mark.parametrize("logs_caches", [False, True], ids=["plain", "logs-caches"])
def test_a_machine_with_firmware_comes_back_as_it_was(
    machine: Machine, tmp_path: Path, logs_caches: bool
) -> None:
    fence = fence_named("firmware", (POOL,), 2, logs_caches=logs_caches)
    machine = replace(machine, fence=fence)
    artifacts = tmp_path / "artifacts"
    artifacts.mkdir()
    save_machine(machine, artifacts)

    assert load_machine(artifacts) == machine
    assert load_machine(artifacts).blob == machine.blob
