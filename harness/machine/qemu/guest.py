# SPDX-License-Identifier: Apache-2.0
"""A running machine: QEMU with monitor, console and agent."""

import contextlib
import shlex
import socket
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.base.disk import writing
from harness.base.errors import GuestError, InputError
from harness.base.kreport import Report
from harness.base.outcome import Ending, Outcome
from harness.machine.devicetree import Pool
from harness.machine.fence import CpuRefusals, Refusal, cpu_refusals
from harness.machine.machine import (
    AGENT_SOCKET,
    BLOB,
    CONSOLE_SOCKET,
    MONITOR_SOCKET,
    PERSON_SOCKET,
    QTEST_SOCKET,
    Machine,
)
from harness.machine.qemu.agent import Agent, Hello
from harness.machine.qemu.console import Console, read_log
from harness.machine.qemu.fencing import (
    ConfinedDevice,
    damage,
    excess,
    put_up,
    refusals,
    write_flash,
)
from harness.machine.qemu.host_share import HostShare
from harness.machine.qemu.loop import call
from harness.machine.qemu.monitor import Event, Monitor, ending_of
from harness.machine.qemu.patience import Patience
from harness.machine.qemu.placed import placed
from harness.machine.qemu.process import Process
from harness.machine.qemu.pulse import Pulse
from harness.machine.qemu.qtest import Qtest
from harness.machine.qemu.ram import GuestRam
from harness.machine.qemu.rundir import RunDirectory
from harness.machine.qemu.watch import Watch
from harness.machine.virtio import SECTOR

BOOT_TIMEOUT = 120.0
"""Seconds from ``cont`` to the agent's first word; under one second on an idle machine."""

BOOT_SILENCE = 20.0
"""Seconds without a console line after which a boot counts as hung."""

LAST_LINES = 12
"""Console lines in the error for a failed boot."""

RESET_TIMEOUT = 10.0
"""Seconds until QEMU has done a reset; measured: 0.01."""

SETTLE_TIMEOUT = 2.0
"""Seconds for a dying kernel to finish its report after the first line."""

COMMAND, CONSOLE_LOG, MONITOR_LOG, AGENT_LOG = "command", "console.log", "qmp.log", "agent.log"


class Guest:
    """One QEMU running one machine; as a context manager it is closed at the end."""

    def __init__(
        self,
        machine: Machine,
        extra: tuple[str, ...] = (),
        boot_log: Path | None = None,
        files: tuple[int, ...] = (),
        saved_ram: Path | None = None,
    ) -> None:
        """Start QEMU, stopped before its first instruction, with *extra* arguments and open files.

        For a guest that will be restored, *boot_log* is the console log of the boot, and
        *saved_ram* the directory of its RAM.
        Raises QemuError, with QEMU's own words, when QEMU does not start.
        """
        self.machine = machine
        self.boot_log = boot_log
        self.watch = Watch()
        self._run = RunDirectory.make()
        self.confined: list[ConfinedDevice] = []
        """Devices that are plugged in from processes of ours."""
        self._closing: list[Callable[[], None]] = []
        self._closed = False
        self._ram: GuestRam | None = None
        self._monitor: Monitor | None = None
        self._process: Process | None = None
        self._pulse: Pulse | None = None
        self._host = HostShare()
        self._console: Console | None = None
        self._agent: Agent | None = None
        self._qtest: Qtest | None = None
        try:
            with writing("the files of a guest", self.directory):
                command = machine.command(self.directory, restored=saved_ram is not None)
                self._bring_up([*command, *extra], files, saved_ram)
            if boot_log is None and machine.fence is not None:
                put_up(machine.fence, self.qtest)
        except BaseException:
            self.close()
            raise

    @property
    def disk_content(self) -> bytes:
        """What its virtio-mmio disks hold: its devicetree, in whole sectors."""
        content = (self.directory / BLOB).read_bytes()
        return content.ljust(-(-len(content) // SECTOR) * SECTOR, b"\0")

    @property
    def directory(self) -> Path:
        """The run directory; gone after :meth:`close`."""
        return self._run.path

    @property
    def ram(self) -> GuestRam:
        """The guest's RAM."""
        assert self._ram is not None
        return self._ram

    @property
    def monitor(self) -> Monitor:
        """The harness's own QMP connection."""
        assert self._monitor is not None
        return self._monitor

    @property
    def process(self) -> Process:
        """The QEMU process."""
        assert self._process is not None
        return self._process

    @property
    def console(self) -> Console:
        """The guest's console."""
        assert self._console is not None
        return self._console

    @property
    def agent(self) -> Agent:
        """The client of the guest's agent."""
        assert self._agent is not None
        return self._agent

    @property
    def ending(self) -> Ending | None:
        """How the guest ended; None while it lives."""
        return self.watch.ending

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    @property
    def person_socket(self) -> Path:
        """The second QMP socket, for a person."""
        return self.directory / PERSON_SOCKET

    def kernel_log(self) -> tuple[str, ...]:
        """Every console line since the kernel's first, including the boot of a restored guest."""
        booted = read_log(self.boot_log) if self.boot_log else ()
        return (*booted, *(self.console.lines if self._closed else self.console.lines_so_far()))

    def pools(self) -> tuple[Pool, ...]:
        """All restricted pools; those that the kernel placed by the addresses in its log."""
        devicetree = self.machine.devicetree
        return (*devicetree.pools, *placed(devicetree.dynamic, self.kernel_log()))

    def connect(self, name: str) -> socket.socket:
        """Connect to one of QEMU's sockets in the run directory."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(self.directory / name))
        return connection

    @property
    def qtest(self) -> Qtest:
        """Guest-physical memory and device registers from outside; connected at the first use."""
        if self._qtest is None:
            self._qtest = Qtest(self.connect(QTEST_SOCKET), self.watch)
            self.at_close(self._qtest.close)
        return self._qtest

    def at_close(self, call: Callable[[], None]) -> None:
        """Call *call* in :meth:`close`, before QEMU is killed."""
        self._closing.append(call)

    def resume(self) -> None:
        """Let the virtual CPUs run."""
        self.monitor.execute("cont")

    def pause(self) -> None:
        """Stop the virtual CPUs; device timers stop as well."""
        self.monitor.execute("stop")

    def wait_ready(self, timeout: float = BOOT_TIMEOUT) -> Hello:
        """Wait until the agent of a booting guest announces itself.

        Raises the guest's ending when it dies, GuestHang when it prints nothing for 20 s of its own
        time or its agent is not there after *timeout* seconds; a note has its last lines.
        """
        silence = min(timeout, BOOT_SILENCE)
        patience = Patience(silence, self.watch.delays, lambda: self.console.mark, timeout)
        try:
            return self.agent.wait_ready(patience)
        except GuestError as error:
            self.settle()
            message = f"{str(error).rstrip('.')}; last console line: {self.console.last_line()}"
            told = type(error)(message)
            if self.console.lines:
                last = "\n  ".join(self.console.lines[-LAST_LINES:])
                told.add_note(f"the console's last lines:\n  {last}")
            raise told from error

    def wait_end(self, timeout: float) -> Ending:
        """Wait until the guest ends and its report is complete; *timeout* in seconds."""
        ending = self.watch.wait(
            "the guest to end", lambda: self.ending, timeout, self.console.last_line, outlive=True
        )
        self.settle()
        return ending

    def reset(self) -> None:
        """Reset the machine, and set up its fence before the kernel's first instruction.

        Raises InputError for a restored guest: its QEMU has no kernel (:meth:`Machine.command`).
        """
        if self.boot_log is not None:
            raise InputError(
                "a restored guest cannot be reset: its QEMU has no kernel. Boot another"
            )
        self.monitor.execute("set-action", reboot="reset")
        self.pause()
        begin = self.monitor.mark
        self.monitor.execute("system_reset")
        self.monitor.wait_event("RESET", timeout=RESET_TIMEOUT, since=begin)
        self.monitor.execute("set-action", reboot="shutdown")
        if self.machine.fence is not None:
            put_up(self.machine.fence, self.qtest)
        self.resume()

    def fence_damage(self) -> list[str]:
        """The parts of the machine's fence that have changed, a sentence each."""
        if self.machine.fence is None:
            return []
        beyond = excess(self.machine.blocks, self.confined)
        return [*beyond, *damage(self.machine.fence, self.qtest)]

    def fence_refusals(self) -> list[Refusal]:
        """Accesses refused so far, by an SMMU or a memory split, oldest first.

        Raises HostError when the file system of QEMU's log is full: QEMU does not say what it lost.
        """
        return refusals(self.directory, self.confined)

    def cpu_refusals(self) -> CpuRefusals:
        """CPU accesses that the machine's firmware refused so far; none without firmware."""
        firmware = self.machine.firmware
        if firmware is None:
            return CpuRefusals(0, ())
        return cpu_refusals(self.qtest.read(firmware.log.base, firmware.log.size))

    def settle(self) -> None:
        """Wait up to SETTLE_TIMEOUT for a dying kernel to finish its report."""
        if self.ending is None or self.ending.outcome in _NOTHING_FOLLOWS:
            return
        with contextlib.suppress(GuestError):  # a hung guest never stops: its report is there
            self.monitor.wait_final(SETTLE_TIMEOUT)
        call(self.console.drain)

    def close(self) -> None:
        """Kill QEMU and remove the run directory. Never raises; may be called twice."""
        if self._closed:
            return
        self._closed = True
        while self._closing:
            self._closing.pop()()
        if self._process is not None:
            self._process.kill()
        if self._pulse is not None:
            self._pulse.close()
        # the last events read the console, whose last lines may abort the agent's calls
        if self._monitor is not None:
            self._monitor.close()
        if self._console is not None:
            self._console.close()
        if self._agent is not None:
            self._agent.close()
        if self._ram is not None:
            self._ram.close()
        self._run.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _bring_up(self, command: list[str], files: tuple[int, ...], saved_ram: Path | None) -> None:
        (self.directory / BLOB).write_bytes(self.machine.blob)
        (self.directory / COMMAND).write_text(shlex.join(command) + "\n")
        write_flash(self.machine, self.directory)
        self._ram = GuestRam.make(self.machine.blocks)
        self._ram.link(self.machine.memory_files(self.directory))
        self._monitor = Monitor(self.watch, self.directory / MONITOR_LOG)
        self._monitor.on_event = self._on_event
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.directory / MONITOR_SOCKET))
            listener.listen(1)
            inherited = (*self.ram.files, *files)
            self._process = Process(command, self.directory, self.watch, inherited)
            if saved_ram is not None:  # while QEMU starts, which does not look at it before
                self.ram.load(saved_ram)
            self.monitor.connect(self._process.accept(listener))
        self._pulse = Pulse(
            self.monitor, self.watch, self.machine.cpus, self.watch.delays, self._host
        )
        # QEMU opens all character devices before it serves the monitor: the rest is there now
        self._console = Console(
            self.connect(CONSOLE_SOCKET), self.directory / CONSOLE_LOG, self.watch
        )
        self._console.on_report = self._on_report
        agent = Agent(
            self.connect(AGENT_SOCKET),
            self.directory / AGENT_LOG,
            self.watch.patience,
            self.machine.kernel.page_size,
        )
        self._agent = agent
        self.watch.at_end(lambda ending: agent.abort(ending.error()))

    def _on_report(self, report: Report) -> None:
        if ending := self._host.ending(report):
            self.watch.end(ending)

    def _on_event(self, event: Event) -> None:
        if self._pulse is not None:
            self._pulse.on_event(event)
        outcome = ending_of(event)
        if outcome is not None:
            self.console.drain()  # the kernel's own words, if they came before the event
            self.watch.end(Ending(outcome, f"QMP event {event['event']} {event.get('data', '')}"))


_NOTHING_FOLLOWS = (Outcome.QEMU_DIED, Outcome.HOST_FAILED)
