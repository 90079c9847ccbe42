# SPDX-License-Identifier: Apache-2.0
"""The harness itself: nothing outlives a killed run, and no parked guest is trusted blindly."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.base.errors import ProtocolError, QemuError
from harness.base.result import Result
from harness.devices.probe import Direction, Probe, Seed
from harness.machine.machine import PERSON_SOCKET, Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.monitor import Monitor
from harness.machine.qemu.rundir import sweep
from harness.machine.qemu.snapshot import PARKED, STATE, Snapshot, park, park_running, restore
from harness.machine.shape import shaped_devicetree
from harness.observe.memory import live_memory
from harness.results import SuiteRequest, Verdict, arguments_of, load_run
from harness.suite.conftest import PLATFORM

pytestmark = pytest.mark.any_kernel("it ends runs of the harness")

SIZE = 4096
"""Bytes of a buffer."""
GENERATIONS = 3

DEADLINE = 60.0
"""Seconds for what takes a few at most on an idle machine."""

VICTIMS = (
    "test_the_running_kernel_is_the_one_whose_symbols_are_read",
    "test_known_places_are_classified",
)
"""Tests with one guest of the default machine, for a run that is killed."""

HOLD = """
import os, socket
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item):
    from harness.plugin.guests import guests_key  # not before pytest has loaded it itself
    (guest,) = item.stash[guests_key].live
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(os.environ["HOLD"])
        line.sendall(f"{os.getpid()} {guest.process.pid} {guest.directory}".encode())
        line.shutdown(socket.SHUT_WR)
        line.recv(1)  # until the other end closes
"""
"""A pytest plugin that has every test say who runs it, and stop before its body until released."""


@dataclass(frozen=True)
class Held:
    """A test that is held: the process that runs it, its QEMU, its guest's run directory.

    Closing *line* releases it.
    """

    line: socket.socket
    runner: int
    qemu: int
    directory: Path


def pytest_command(settings: SuiteRequest, tests: Sequence[str]) -> list[str]:
    """The command line of a run of *tests* with the same kernel and machine as this one."""
    request = SuiteRequest(
        settings.spec, settings.qemu, tests=tuple(tests), workers=0, ram_size=settings.ram_size
    )
    return [sys.executable, "-m", "pytest", *arguments_of(request)]


def start_and_hold(
    settings: SuiteRequest, options: Sequence[str], directory: Path
) -> subprocess.Popen[bytes]:
    """Start a run of the victims with the plugin that holds them."""
    (directory / "hold.py").write_text(HOLD)
    tests = [f"{Path(__file__).with_name('test_views.py')}::{name}" for name in VICTIMS]
    with (directory / "run.log").open("wb") as log:
        return subprocess.Popen(
            [*pytest_command(settings, tests), "-p", "hold", *options],
            env={**os.environ, "PYTHONPATH": str(directory), "HOLD": str(directory / "hold.sock")},
            stdout=log,
            stderr=log,
        )


def next_held(server: socket.socket) -> Held:
    """Wait until a test is held."""
    line, _ = server.accept()
    with line.makefile() as said:
        runner, qemu, directory = said.read().split()
    return Held(line, int(runner), int(qemu), Path(directory))


def ended(pidfd: int) -> bool:
    """Whether a process is gone by the deadline; afterwards it is."""
    ready, _, _ = select.select([pidfd], [], [], DEADLINE)
    if not ready:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.close(pidfd)
    return bool(ready)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        pytest.param((), 1, id="alone", marks=pytest.mark.nightly("with workers it is harder")),
        pytest.param(("-n", "2"), 2, id="xdist"),
    ],
)
@pytest.mark.usefixtures("initramfs")
def test_a_killed_run_leaves_nothing_behind(
    settings: SuiteRequest, tmp_path: Path, options: tuple[str, ...], count: int
) -> None:
    """SIGKILL to pytest ends workers and QEMUs too; a sweep removes their run directories."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "hold.sock"))
        server.listen()
        server.settimeout(DEADLINE)
        file = tmp_path / "run.jsonl"
        run = start_and_hold(settings, (*options, f"--run-file={file}"), tmp_path)
        try:
            held = [next_held(server) for _ in range(count)]
            processes = [os.pidfd_open(pid) for test in held for pid in (test.runner, test.qemu)]
            for test in held:
                os.kill(test.runner, signal.SIGSTOP)  # it cannot notice by itself
        finally:
            run.kill()
            run.wait()

    assert [ended(process) for process in processes] == [True] * len(processes)
    for test in held:
        test.line.close()
    sweep()
    assert not [test.directory for test in held if test.directory.exists()]


@pytest.mark.usefixtures("initramfs")
def test_a_killed_worker_costs_one_test(settings: SuiteRequest, tmp_path: Path) -> None:
    """The test of a worker that is killed is an ERROR; its QEMU ends, the others are judged."""
    file = tmp_path / "run.jsonl"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "hold.sock"))
        server.listen()
        server.settimeout(DEADLINE)
        session = start_and_hold(settings, ("-n", "2", f"--run-file={file}"), tmp_path)
        try:
            dead, alive = (next_held(server) for _ in range(2))
            qemu = os.pidfd_open(dead.qemu)
            os.kill(dead.runner, signal.SIGKILL)
            assert ended(qemu)
            dead.line.close()
            alive.line.close()
            code = session.wait(DEADLINE)
        finally:
            session.kill()
            session.wait()

    run = load_run(file)
    assert {one.result for one in run.tests} == {Result.PASS, Result.ERROR}
    assert run.complete
    assert code == Verdict.NOT_JUDGED.exit_code
    log = (tmp_path / "run.log").read_text()
    assert "results: PASS 1  FAIL 0  CRASH 0  HANG 0  KNOWN 0  SKIP 0  ERROR 1" in log
    assert "the process that ran the test was killed by SIGKILL" in log
    assert not dead.directory.exists()


def test_a_guest_may_be_closed_twice(guest: Guest) -> None:
    """Closing a guest that is closed already does nothing."""
    guest.close()

    guest.close()

    assert not guest.directory.exists()


@pytest.fixture
def parked(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Snapshot:
    """The machine's parked guest, copied to a cache of this test's own."""
    entry = park(machine).state.parent
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    shutil.copytree(entry, PARKED.root / entry.name)
    return park(machine)


def test_a_damaged_parked_guest_is_parked_anew(
    machine: Machine, parked: Snapshot, capfd: pytest.CaptureFixture[str]
) -> None:
    """A parked guest whose file has changed is replaced, and one line says so."""
    parked.state.write_bytes(parked.state.read_bytes()[:-1])

    anew = park(machine)

    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith(f"is damaged ({STATE} has changed); building it again")
    assert anew.identity.boot_id != parked.identity.boot_id
    restore(anew).close()


def test_another_guests_state_is_refused(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that fits the machine but is not that of the parked guest is not trusted."""
    other_tree = shaped_devicetree(machine.qemu, "pool-pci-host", ram_size=machine.ram_size)
    snapshot, other = park(machine), park(replace(machine, devicetree=other_tree))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))

    with pytest.raises(ProtocolError, match="the restored guest is"):
        restore(replace(snapshot, state=other.state, ram=other.ram))


def test_a_state_that_qemu_cannot_read_is_told_in_its_own_words(
    parked: Snapshot, tmp_path: Path
) -> None:
    """When QEMU ends while it reads a state, the error says what it complained about."""
    cut = tmp_path / "cut"
    whole = parked.state.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(QemuError, match="load of migration failed"):
        restore(replace(parked, state=cut))


def test_a_guest_survives_generations_of_parking(machine: Machine, tmp_path: Path) -> None:
    """A guest that is parked and restored over and over goes on with its work each time."""
    snapshot = park(machine)

    for generation in range(GENERATIONS):
        directory = tmp_path / str(generation)
        directory.mkdir()
        with restore(snapshot) as guest:
            Probe(guest.agent, context=generation).buffer(SIZE).fill(Seed(generation))
            guest.agent.run("echo survived >> /tmp/generations")
            snapshot = park_running(guest, directory)

    with restore(snapshot) as guest:
        assert guest.agent.read_file("/tmp/generations") == b"survived\n" * GENERATIONS


def test_guests_restored_at_once_share_nothing(machine: Machine) -> None:
    """Two guests of one parked state, restored side by side, have memories of their own."""
    with ThreadPoolExecutor(2) as threads, ExitStack() as stack:
        both = [stack.enter_context(guest) for guest in threads.map(restore, [park(machine)] * 2)]

        written = [mapped_page(guest, Seed(number)) for number, guest in enumerate(both)]

        assert [
            in_pool(guest, dma_addr) for guest, dma_addr in zip(both, written, strict=True)
        ] == [Seed(number).content(0, SIZE) for number in range(2)]


def mapped_page(guest: Guest, seed: Seed) -> int:
    """Map a page of the seed's pattern; returns its DMA address."""
    probe = Probe(guest.agent)
    buffer = probe.buffer(SIZE, content=seed)
    return probe.device(PLATFORM).map_single(buffer, Direction.TO_DEVICE).dma_addr


def in_pool(guest: Guest, dma_addr: int) -> bytes:
    """The page at that DMA address."""
    with live_memory(guest) as memory:
        return memory.read(dma_addr, SIZE)


def test_a_person_has_a_monitor_beside_the_harness(guest: Guest, tmp_path: Path) -> None:
    """Both QMP sockets take commands at one time, and each sees what the other one did."""
    person = Monitor(guest.watch, tmp_path / "person.log")
    person.connect(guest.connect(PERSON_SOCKET))

    person.execute("stop")
    guest.monitor.wait_event("STOP", timeout=DEADLINE)
    guest.monitor.execute("cont")
    person.wait_event("RESUME", timeout=DEADLINE)

    person.close()
    assert guest.agent.run("echo alive").text == "alive\n"
