# SPDX-License-Identifier: Apache-2.0
"""What is looked at on this machine, and the remedy for each thing that is missing."""

import os
import shutil
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.base.errors import HostError, SourceError, ToolError
from harness.cli import doctor, host
from harness.cli.host import Check
from harness.kernel.build.busybox import Busybox
from harness.machine import binary
from harness.machine.binary import find_qemu
from harness.machine.capabilities import Capabilities
from harness.machine.qemu.runroot import RunRoot

MIB = 1 << 20


@pytest.fixture(autouse=True)
def _fresh_qemu() -> Iterator[None]:
    find_qemu.cache_clear()
    yield
    find_qemu.cache_clear()


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing in it; returns its only directory."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def capable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every QEMU can run guests."""
    monkeypatch.setattr(binary, "capabilities_of", lambda *_: Capabilities(frozenset()))


def _program(folder: Path, name: str, output: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)


def test_a_missing_program_is_named_with_the_command_that_installs_it(empty_path: Path) -> None:
    _program(empty_path, "apt-get", "")

    found = {finding.name: finding.remedy for finding in host.packages()}

    assert found["dtc"] == "sudo apt-get install device-tree-compiler"


def test_a_program_that_is_there_is_shown_with_its_place(empty_path: Path) -> None:
    _program(empty_path, "dtc", "")

    found = {finding.name: finding for finding in host.packages()}

    assert found["dtc"] == Check("dtc", str(empty_path / "dtc"))


@pytest.mark.parametrize(
    ("banner", "ok"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2)", True),
        ("QEMU emulator version 10.0.2", True),
        ("QEMU emulator version 5.2.0", False),
        ("something else", False),
    ],
)
@pytest.mark.usefixtures("capable")
def test_qemu_must_be_new_enough(empty_path: Path, banner: str, ok: bool) -> None:
    _program(empty_path, "qemu-system-aarch64", banner)

    assert host.qemu().ok is ok


@pytest.mark.usefixtures("capable")
def test_the_qemu_that_was_found_is_told(empty_path: Path) -> None:
    _program(empty_path, "qemu-system-aarch64", "QEMU emulator version 7.2.22 (Debian)")

    assert host.qemu().found == "QEMU emulator version 7.2.22 (Debian)"


@pytest.mark.parametrize(("available_kib", "ok"), [(2 * 1024 * 1024, True), (1024 * 1024, False)])
def test_memory_is_what_is_available_not_what_is_built_in(
    available_kib: int, ok: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(f"MemTotal: 99999999 kB\nMemAvailable: {available_kib} kB\n")
    monkeypatch.setattr(host, "MEMINFO", meminfo)

    assert host.memory().ok is ok


def test_too_little_space_is_answered_with_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=64 * MIB))

    remedy = host.space("space", Path("/home/me/.cache"), 256 * MIB).remedy
    assert remedy == "free 193 MiB there, or set HARNESS_CACHE elsewhere"


def test_where_run_directories_are_made_is_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = RunRoot(Path("/tmp/runs"), "TMPDIR: 900 MiB free")
    monkeypatch.setattr(host, "choose_run_root", lambda _: root)

    found = host.run_directories()
    assert found == Check("run directories", "/tmp/runs (TMPDIR: 900 MiB free)")


def test_no_place_for_run_directories_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> RunRoot:
        raise HostError("they need 24 MiB. Set HARNESS_RUN to a directory with room")

    monkeypatch.setattr(host, "choose_run_root", refuse)

    assert "need 24 MiB" in host.run_directories().remedy


def test_enough_space_is_fine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=256 * MIB))

    assert host.space("space", Path("/"), 256 * MIB).ok


def test_python_packages_that_do_not_fit_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bytes:
        raise ToolError("restricted-dma-harness 0.1.0 requires fdt, which is not installed.")

    monkeypatch.setattr(host, "run_tool", refuse)

    finding = host.python_packages()
    assert "requires fdt" in finding.found
    assert "scripts/setup" in finding.remedy


def test_run_directories_of_dead_runs_are_named_and_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "leftovers", lambda: iter([tmp_path / "run-dead"]))

    finding = host.abandoned()
    assert "run-dead" in finding.found
    assert finding.ok


def test_cores_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 6})

    assert host.cores().found == "3: scripts/run uses -n 4"


def test_the_busybox_of_guests_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Busybox("busybox-static 1:1.35, for arm64", "ab", bytes)
    monkeypatch.setattr(host, "find_busybox", lambda: found)

    assert host.busybox() == Check("busybox of guests", "busybox-static 1:1.35, for arm64")


def test_package_sources_without_the_busybox_of_guests_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> Busybox:
        raise SourceError("the package 'busybox-static' is not in this machine's package sources")

    monkeypatch.setattr(host, "find_busybox", refuse)

    assert "'busybox-static' is not in" in host.busybox().remedy


def test_without_apt_its_packages_are_not_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    remedies = {check.name: check.remedy for check in host.packages() if not check.ok}

    assert "apt-get" not in remedies
    assert remedies["bc"] == "install the package of this system that has what Debian's bc has"


@pytest.mark.parametrize(("remedy", "code"), [("", 0), ("install it", 2)])
def test_the_exit_code_says_whether_something_is_missing(
    remedy: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda: iter([Check("thing", "seen", remedy)]))

    assert doctor.run(Namespace()) == code


def test_a_remedy_stays_on_one_line_however_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    remedy = "sudo apt-get install " + "long-name " * 30
    monkeypatch.setattr(doctor, "examine", lambda: iter([Check("thing", "not found", remedy)]))

    doctor.run(Namespace())

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "missing  thing  not found"
    assert lines[1].strip() == remedy.strip()
