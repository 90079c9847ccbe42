# SPDX-License-Identifier: Apache-2.0
"""Wrong options end with one clear paragraph and exit code 2, on both command lines."""

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest
from kernel_trees import SLOTS_PATCH
from python_process import run_python

from harness.base.cache import Cache
from harness.base.errors import GuestCrash, HostError
from harness.cli import main
from harness.machine.binary import find_qemu

SUITE = Path(__file__).resolve().parents[2] / "harness/suite/properties/test_attachment.py"

QEMU = "#!/bin/sh\necho 'QEMU emulator version 6.2.0'\n"


@dataclass(frozen=True)
class Wrong:
    """An option that makes no sense, and what the message must say."""

    option: str
    said: str


WRONG = [
    Wrong("--qemu=/bin/true", "--qemu=PATH"),
    Wrong("--qemu=no-such-qemu", "program not found: 'no-such-qemu'. Check the name"),
    Wrong("--machine-memory=12", "give more"),
    Wrong("--machine-memory=much", "expected a size such as 256M or 1G"),
    Wrong("--machine-memory=10G", "at most 9G"),
    Wrong("--shape=/nowhere/mine.dtso", "unknown overlay '/nowhere/mine.dtso': no such file"),
]

WRONG_SHELL = [
    *WRONG,
    Wrong("--dump=/no/dump", "need the kernel's --vmlinux"),
    Wrong("--attach=1", "need the kernel's --vmlinux"),
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    find_qemu.cache_clear()


def shell_error(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["shell", *words]) == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("wrong", WRONG_SHELL, ids=lambda wrong: wrong.option)
def test_the_shell_says_what_is_wrong(capsys: pytest.CaptureFixture[str], wrong: Wrong) -> None:
    said = shell_error(capsys, wrong.option)

    assert said.startswith("harness: ")
    assert wrong.said in said


WRONG_SUITE = [
    WRONG[0],
    Wrong("--kernel=build:/nowhere", "build:/nowhere is no kernel build: no such directory."),
    Wrong("--property=B99", "unknown property 'B99': expected an id such as B1."),
    Wrong("harness/suite/properties/test_no.py", "no such file of tests: "),
]


@pytest.mark.parametrize("wrong", WRONG_SUITE, ids=lambda wrong: wrong.option)
@pytest.mark.parametrize("workers", ["0", "2"])
def test_pytest_says_what_is_wrong_once(wrong: Wrong, workers: str) -> None:
    done = run_python(["-m", "pytest", SUITE, wrong.option, "-n", workers])

    assert done.returncode == 2
    assert (done.stdout + done.stderr).count(wrong.said) == 1


def test_a_qemu_that_is_too_old_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "qemu"
    old.write_text(QEMU)
    old.chmod(0o755)

    assert "is QEMU 6.2; 7.2 or newer is needed" in shell_error(capsys, f"--qemu={old}")


def test_a_missing_qemu_comes_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "apt-get").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert "sudo apt-get install qemu-system-arm" in shell_error(capsys)


@pytest.mark.parametrize("count", ["0", "9", "many"])
def test_a_number_of_cpus_that_cannot_be_is_refused(
    count: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.cli.shell.machine_of", lambda _: pytest.fail("it was built"))

    with pytest.raises(SystemExit, match="2"):
        main(["shell", f"--cpus={count}"])

    assert "--cpus" in capsys.readouterr().err


def test_a_shape_that_does_not_exist_is_refused_with_those_that_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = shell_error(capsys, "--shape=nowhere")

    assert "unknown overlay 'nowhere': no such name, and no file." in said
    assert "pool-pci-host" in said


def test_a_guest_that_does_not_come_up_is_an_error_with_its_artifacts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def panic(_: object) -> int:
        crash = GuestCrash("panic: test")
        crash.add_note("logs and memory: /artifacts")
        raise crash

    monkeypatch.setattr("harness.cli.shell.machine_of", panic)

    assert shell_error(capsys) == "harness: panic: test\nlogs and memory: /artifacts\n"


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null", "/dev/null/below"])
def test_a_cache_directory_that_cannot_be_is_named(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", place)

    assert main(["kernel", "list"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"harness: cannot use {place} as the cache directory:")
    assert said.endswith("HARNESS_CACHE=PATH\n")


def fill_the_disk(_: Path) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_the_hosts_fault_and_leaves_no_entry() -> None:
    with pytest.raises(HostError, match=r"no space left.*the file system at .*harness cache prune"):
        Cache("things").get("key", fill_the_disk)

    assert Cache("things").find("key") is None


def test_a_series_for_a_kernel_that_is_built_already_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.patch").write_bytes(SLOTS_PATCH)

    assert main(["validate", f"{tmp_path}/a.patch", f"--kernel=build:{tmp_path}"]) == 2

    assert "is built already: it has no source that a series" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["validate", "x.patch"], ["bisect", "a", "b"]])
def test_an_unknown_property_is_named_before_anything_is_built(
    capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    assert main([*command, "--property=B99"]) == 2

    assert "unknown property 'B99'" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.txt"
    log.write_text("[    0.000000] Linux version 6.12.117 (a@b)\n")

    assert main(["report", str(log), "--html=/dev/full"]) == 2

    assert "No space left on device" in capsys.readouterr().err


def test_a_fault_of_the_program_does_not_speak_against_the_kernel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.cli.doctor.run", lambda _: 1 / 0)

    assert main(["doctor"]) == 2

    assert "ZeroDivisionError" in capsys.readouterr().err


@pytest.mark.parametrize("limit", ["nan", "inf", "-5", "ten", ""])
@pytest.mark.parametrize(
    "words", [["cost", "--since=x", "--limit"], ["validate", "x", "--cost-limit"]]
)
def test_a_limit_that_nothing_is_beyond_is_refused(
    words: list[str], limit: str, capsys: pytest.CaptureFixture[str]
) -> None:
    *command, option = words

    with pytest.raises(SystemExit):
        main([*command, f"{option}={limit}"])

    assert f"'{limit}' is not a limit" in capsys.readouterr().err
