# SPDX-License-Identifier: Apache-2.0
"""QEMU's process: what it says is kept, its end is seen, and it dies with the harness."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.base.errors import GuestCrash, HostError, QemuError
from harness.base.outcome import Ending, Outcome
from harness.machine.binary import find_qemu, parse_version
from harness.machine.qemu.process import Process
from harness.machine.qemu.watch import Watch


def listener(directory: Path) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(directory / "monitor.sock"))
    server.listen(1)
    return server


def test_a_qemu_that_does_not_start_is_an_error_with_its_own_words(tmp_path: Path) -> None:
    process = Process(["sh", "-c", "echo no such machine >&2; exit 3"], tmp_path, Watch())

    with listener(tmp_path) as server, pytest.raises(QemuError, match=r"ended with 3.*no such ma"):
        process.accept(server)


def test_a_qemu_that_dies_ends_the_guest_at_once(tmp_path: Path) -> None:
    watch = Watch()
    Process(["sh", "-c", "echo aborted >&2; kill -ABRT $$"], tmp_path, watch)

    ending = watch.wait("its end", lambda: watch.ending, 10, lambda: "", outlive=True)

    assert ending.outcome is Outcome.QEMU_DIED
    assert "aborted" in ending.detail


def test_a_qemu_that_could_not_have_its_memory_is_explained(tmp_path: Path) -> None:
    watch = Watch()
    Process(["sh", "-c", "kill -BUS $$"], tmp_path, watch)

    ending = watch.wait("its end", lambda: watch.ending, 10, lambda: "", outlive=True)

    assert "SIGBUS (is the host, or its container, out of memory?)" in ending.detail


def test_a_killed_qemu_is_no_ending(tmp_path: Path) -> None:
    watch = Watch()
    process = Process(["sleep", "60"], tmp_path, watch)

    process.kill()

    assert watch.ending is None


def test_the_first_ending_stands() -> None:
    watch = Watch()

    watch.end(Ending(Outcome.PANIC, "cause"))
    watch.end(Ending(Outcome.RESET, "consequence"))

    assert watch.ending == Ending(Outcome.PANIC, "cause")


def test_qemu_dies_with_a_harness_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys; from harness.machine.qemu.process import Process;"
        "from harness.machine.qemu.watch import Watch;"
        f"process = Process(['sleep', '600'], pathlib.Path({str(tmp_path)!r}), Watch());"
        "print(process.pid, flush=True); sys.stdin.read()"
    )
    harness = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert harness.stdout is not None
    pidfd = os.pidfd_open(int(harness.stdout.readline()))

    harness.send_signal(signal.SIGKILL)
    harness.communicate()

    gone, _, _ = select.select([pidfd], [], [], 10)
    os.close(pidfd)
    assert gone, "the child of a killed harness is still running"


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", (7, 2)),
        ("QEMU emulator version 10.0.2", (10, 0)),
        ("GNU Emacs 28.2", None),
    ],
)
def test_the_version_is_read_from_the_banner(banner: str, version: tuple[int, int] | None) -> None:
    assert parse_version(banner) == version


def fake_qemu(directory: Path, banner: str) -> str:
    program = directory / "qemu"
    program.write_text(f"#!/bin/sh\necho '{banner}'\n")
    program.chmod(0o755)
    return str(program)


def test_a_qemu_that_is_too_old_is_refused_with_the_version_that_is_needed(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"QEMU 6\.2; 7\.2 or newer"):
        find_qemu(fake_qemu(tmp_path, "QEMU emulator version 6.2.0"))


def test_a_program_that_is_no_qemu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="is not QEMU"):
        find_qemu(fake_qemu(tmp_path, "hello"))


def test_a_missing_qemu_is_named() -> None:
    with pytest.raises(HostError, match="qemu-that-is-not-there"):
        find_qemu("qemu-that-is-not-there")


def test_a_sleep_lasts_as_long_as_the_guest_at_most() -> None:
    watch = Watch()
    threading.Timer(0.05, watch.end, (Ending(Outcome.PANIC, "test"),)).start()

    with pytest.raises(GuestCrash, match="panic: test"):
        watch.sleep(60)
