# SPDX-License-Identifier: Apache-2.0
"""A kept machine boots without this project, whatever fence it has."""

import shlex
import subprocess
from pathlib import Path

import pytest

from harness.base.address_range import AddressRange
from harness.kernel import Initramfs, Kernel
from harness.machine.binary import Qemu
from harness.machine.devicetree import Devicetree
from harness.machine.fence import fence_named
from harness.machine.machine import CONSOLE_SOCKET, Machine
from harness.machine.qemu.standalone import IMAGE, INITRD, README, RUN, VMLINUX, write_standalone

POOL = AddressRange(0x4F00_0000, 0x100_0000)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """A cache with a kernel and guest programs."""
    directory = tmp_path / "cache"
    directory.mkdir()
    for name in ("Image", "vmlinux", "initramfs.cpio.gz"):
        (directory / name).write_text(name)
    return directory


def machine_of(parts: Path, fence: str) -> Machine:
    kernel = Kernel("key", parts, "6.12.117", "c0ffee", "a tree", (), "gcc 12")
    return Machine(
        Qemu(parts / "qemu-system-aarch64", (7, 2), "QEMU emulator version 7.2.0"),
        kernel,
        Initramfs(parts / "initramfs.cpio.gz", "key"),
        Devicetree(b"blob", (), (), ()),
        append="quiet",
        fence=fence_named(fence, [POOL], 2) if fence else None,
    )


@pytest.mark.parametrize("fence", ["", "split", "smmu"])
def test_everything_that_the_command_names_lies_beside_it(
    parts: Path, tmp_path: Path, fence: str
) -> None:
    directory = tmp_path / "kept"
    directory.mkdir()

    write_standalone(machine_of(parts, fence), directory)

    script = (directory / RUN).read_text()
    words = shlex.split(script.replace("\\\n", " "))
    assert str(parts) not in script
    assert {"-S", "-D"}.isdisjoint(words)
    assert "monitor" not in script
    assert CONSOLE_SOCKET not in script
    assert words[words.index("-kernel") + 1] == IMAGE
    assert words[words.index("-initrd") + 1] == INITRD
    assert words[words.index("-serial") + 1] == "mon:stdio"
    for word in words:
        if word.startswith("if=pflash"):
            assert (directory / word.rpartition("file=")[2]).is_file()
    subprocess.run(["sh", "-n", directory / RUN], check=True)


def test_files_of_the_cache_are_shared(parts: Path, tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    directory.mkdir()

    write_standalone(machine_of(parts, ""), directory)

    for name in (IMAGE, VMLINUX):
        assert (directory / name).samefile(parts / name)
    assert (directory / INITRD).samefile(parts / "initramfs.cpio.gz")


@pytest.mark.parametrize(
    ("fence", "said"),
    [
        ("", "The machine has no fence: nothing confines its devices."),
        ("split", "The fence split is part of the command."),
        ("smmu", "write the registers in fence-registers.txt"),
    ],
)
def test_the_readme_is_short_and_tells_of_the_fence(
    parts: Path, tmp_path: Path, fence: str, said: str
) -> None:
    directory = tmp_path / "kept"
    directory.mkdir()

    write_standalone(machine_of(parts, fence), directory)

    text = (directory / README).read_text()
    assert said in text
    assert len(text.splitlines()) <= 12
    assert (directory / "fence-registers.txt").exists() == (fence == "smmu")


def test_the_registers_of_a_fence_are_kept_with_their_values(parts: Path, tmp_path: Path) -> None:
    directory = tmp_path / "kept"
    directory.mkdir()
    machine = machine_of(parts, "smmu")

    write_standalone(machine, directory)

    assert machine.fence is not None
    rows = (directory / "fence-registers.txt").read_text().splitlines()
    registers = [tuple(int(word, 0) for word in row.split()) for row in rows]
    assert registers == [(one.address, one.width, one.value) for one in machine.fence.setup]
