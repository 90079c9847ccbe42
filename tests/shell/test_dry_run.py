# SPDX-License-Identifier: Apache-2.0
"""A dry run starts nothing, and leaves what its command needs."""

import shlex
from pathlib import Path

import pytest

from harness.cli import main
from harness.kernel import Initramfs, Kernel
from harness.machine.binary import Qemu
from harness.machine.devicetree import Devicetree
from harness.machine.machine import Machine
from harness.machine.qemu.runroot import RunRoot


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "Image").touch()
    kernel = Kernel("key", tmp_path, "6.12.0", "c0ffee", "a tree", (), "gcc 12")
    devicetree = Devicetree(b"blob", (), (), ())
    qemu = Qemu(Path("/bin/qemu"), (7, 2), "QEMU emulator version 7.2.0")
    return Machine(qemu, kernel, Initramfs(tmp_path / "initramfs", "key"), devicetree)


@pytest.fixture
def printed(
    machine: Machine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> list[str]:
    """The words of the command that the dry run prints."""
    monkeypatch.setattr("harness.cli.shell.machine_of", lambda _: machine)
    root = RunRoot(tmp_path, "a test's own")
    monkeypatch.setattr("harness.cli.shell.choose_run_root", lambda: root)
    monkeypatch.setattr("harness.cli.shell.say", lambda _: None)
    assert main(["shell", "--dry-run"]) == 0
    return shlex.split(capsys.readouterr().out)


def test_the_printed_command_is_the_machines(
    machine: Machine, tmp_path: Path, printed: list[str]
) -> None:
    assert printed == machine.command(tmp_path / "by-hand", own_ram=True)


def test_its_ram_is_no_file(printed: list[str]) -> None:
    ram = [word for word in printed if word.startswith("memory-backend")]
    assert ram == ["memory-backend-memfd,id=ram0,size=268435456,share=on"]


def test_the_devicetree_lies_where_the_command_says(printed: list[str]) -> None:
    assert Path(printed[printed.index("-dtb") + 1]).read_bytes() == b"blob"


def test_the_last_four_words_are_the_harness_own_monitor(printed: list[str]) -> None:
    assert [word.partition(",")[0] for word in printed[-4:]] == [
        "-chardev",
        "socket",
        "-qmp",
        "chardev:monitor",
    ]
