# SPDX-License-Identifier: Apache-2.0
"""Record the calls of a failed test with QEMU's record/replay, and play the recording.

While QEMU records, all that happens to the guest must come through what it records. So the calls
are scripts in the guest's initial RAM disk, and a short line on its console starts each: a UART
has room for 16 bytes, and nobody tells when the guest has read them (QEMU's recording takes bytes
before there is room, replay/replay-char.c, 7.2).
"""

import contextlib
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shlex import quote

from harness.base.errors import GuestError, HarnessError, InputError
from harness.devices.probe.session import batch_of
from harness.devices.probe.values import RequestRefused
from harness.kernel import Initramfs
from harness.kernel.build import cpio
from harness.machine.description import load_machine
from harness.machine.machine import Machine, RecordedRun
from harness.machine.qemu.agent import Agent, Ran
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.journal import Act, Journal
from harness.machine.qemu.qcow2 import write_empty_qcow2
from harness.shell.replay import Replay, ReplayStep, is_visible, read_steps
from harness.shell.target import Target, live_target

RECORDING, LOG, STATES, MOMENTS = "recording", "replay.log", "states.qcow2", "moments.json"
"""The directory in that of a failure, and its files."""

SCRIPTS = "r"
"""The directory of the scripts in the guest; a short name, for the console's UART."""

CALL_TIMEOUT = 60.0
"""Seconds for a script; normally milliseconds."""

SEEK_TIMEOUT = 300.0
"""Seconds to another moment; a few, most of them for the boot, on an idle machine."""

QUIT_TIMEOUT = 30.0
"""Seconds for QEMU to write the end of its log."""

CALL = (
    "exec 3<>/dev/probe; dd if={data} bs=64k 2>/dev/null >&3; "
    "cat <&3 | od -An -v -tx1 | tr -d ' \\n'"
)
"""A batch of calls is one write() to the probe; it shows the replies in hexadecimal."""

NOTHING = "true"

RUN = "sh {data} </dev/null >/dev/null 2>&1; printf %02x $?"
WRITE = "cat {data} >{path}"
DMA = "dd if={data} of=/dev/mem bs=1 seek={address} conv=notrunc 2>/dev/null"


@dataclass(frozen=True)
class Script:
    """What is done in the guest, and the *data* that it needs in a file."""

    text: str
    data: bytes


@dataclass(frozen=True)
class Moment:
    """A call of the driver, and how many instructions the guest had executed before it."""

    icount: int
    text: str


@dataclass(frozen=True)
class Recording:
    """A recorded run of *machine*, and when the driver's calls were made in it.

    *end*: the instructions that it has.
    """

    machine: Machine
    moments: tuple[Moment, ...]
    end: int


class ScriptedAgent(Agent):
    """Does what scripts in the guest do; what has no script cannot be done."""

    def __init__(self, guest: Guest, scripts: Mapping[Script, int]) -> None:
        self._guest, self._scripts = guest, scripts
        self.journal = Journal()
        self.page_size = guest.machine.kernel.page_size

    def run(self, command: str, timeout: float = CALL_TIMEOUT) -> Ran:
        """Run a shell command; its output is lost."""
        return Ran(int(self._start(_run(command), timeout), 16), b"")

    def write_file(self, path: str, content: bytes, timeout: float = CALL_TIMEOUT) -> None:
        """Write a file."""
        self._start(_write(path, content), timeout)

    def probe(self, batch: bytes, timeout: float = CALL_TIMEOUT) -> bytes:
        """Make calls, and return the replies."""
        return bytes.fromhex(self._start(Script(CALL, batch), timeout))

    def write_memory(self, address: int, data: bytes) -> None:
        """Write guest-physical memory as a device did, by the guest's CPU."""
        self._start(_dma(address, data), CALL_TIMEOUT)

    def _start(self, script: Script, timeout: float) -> str:
        """Run a script and return what it shows."""
        number = self._scripts[script]
        console = self._guest.console
        begin = console.mark
        console.write(f"sh /{SCRIPTS}/{number}\n".encode())
        return console.wait_for(rf"^([0-9a-f]*) done {number}$", timeout, since=begin)[1]


class RecordedReplay(Replay):
    """The steps of a failed test, of which a recording has what the guest does itself."""

    def __init__(self, target: Target, steps: Sequence[ReplayStep], agent: ScriptedAgent) -> None:
        super().__init__(target, steps)
        self._scripted = agent

    @property
    def _agent(self) -> Agent:
        return self._scripted

    def _make(self, step: ReplayStep) -> str | None:
        match step.act.kind:
            case "plug":
                return f"[no device in port {step.act.number}: a recording has none]"
            case "stress":
                return "[several contexts make calls at the same time: not in a recording]"
            case _:
                return self._make_here(step)

    def _make_here(self, step: ReplayStep) -> str | None:
        """Make a step unless it is about a device that was plugged in, which is not there."""
        try:
            return super()._make(step)
        except RequestRefused as fault:
            return f"[not in a recording: {fault}]" if is_visible(step) else None

    def _write(self, act: Act) -> str:
        self._scripted.write_memory(act.number, act.data)
        return f"[{act.text} writes {len(act.data)} bytes at {act.number:#x}, here the CPU does]"


def record(directory: Path) -> Recording:
    """Boot the machine of the failure in *directory*, record its calls, and keep that there.

    Raises InputError when that is no failure or has no calls, and what a boot raises.
    """
    steps = read_steps(directory)
    if not steps:
        raise InputError(f"{directory} has no calls of a driver that could be recorded")
    wanted = dict.fromkeys([*_scripts(steps), _run(NOTHING)])
    scripts = {one: number for number, one in enumerate(wanted)}
    place = directory / RECORDING
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    machine = _recordable(load_machine(directory), directory)
    initramfs = _with_scripts(machine.initramfs, scripts, place)
    run = RecordedRun(place / LOG, place / STATES)
    write_empty_qcow2(run.disk)
    machine = replace(machine, initramfs=initramfs, recorded=run)
    with Guest(machine) as guest:
        guest.resume()
        guest.wait_ready()
        target = live_target(guest)
        agent = ScriptedAgent(guest, scripts)
        moments = tuple(_make_calls(guest, RecordedReplay(target, steps, agent)))
        end = int(guest.monitor.execute("query-replay")["icount"])
        agent.run(NOTHING)  # so that QEMU can stop at the end, and go back from there
        target.close()
        guest.pause()
        with contextlib.suppress(GuestError, HarnessError):  # QEMU may be gone before it answers
            guest.monitor.execute("quit")
        guest.wait_end(QUIT_TIMEOUT)
    (place / MOMENTS).write_text(json.dumps([asdict(one) for one in moments], indent=1))
    return Recording(replace(machine, recorded=replace(run, played=True)), moments, end)


def _recordable(machine: Machine, directory: Path) -> Machine:
    """The *machine*; raises InputError if QEMU's recording would lack what it depends on."""
    if machine.fence is not None:
        raise InputError(
            f"the machine of {directory} has a fence, which is set up from outside: QEMU cannot "
            "record that. 'harness debug' without --record starts it"
        )
    if machine.virtio:
        raise InputError(
            f"the machine of {directory} has virtio devices, whose input would not be recorded. "
            "'harness debug' without --record starts it"
        )
    return machine


def _make_calls(guest: Guest, replay: Replay) -> Iterable[Moment]:
    while True:
        icount = int(guest.monitor.execute("query-replay")["icount"])
        text = replay.next()
        if text is None:
            return
        yield Moment(icount, text)


def _with_scripts(initramfs: Initramfs, scripts: Mapping[Script, int], place: Path) -> Initramfs:
    """The initial RAM disk with a second archive behind it, and the probe beside it."""
    nodes = [cpio.directory(SCRIPTS)]
    for script, number in scripts.items():
        data = f"/{SCRIPTS}/{number}.d"
        text = f"{script.text.format(data=data)}\necho ' done {number}'\n"
        nodes.append(cpio.program(f"{SCRIPTS}/{number}", text.encode()))
        nodes.append(cpio.program(data.removeprefix("/"), script.data))
    archive = initramfs.path.read_bytes()
    padding = bytes(-len(archive) % 4)
    path = place / initramfs.path.name
    path.write_bytes(archive + padding + cpio.pack(nodes))
    (place / initramfs.probe.name).symlink_to(initramfs.probe)
    return Initramfs(path, initramfs.key)


def _scripts(steps: Iterable[ReplayStep]) -> Iterable[Script]:
    """What the steps need in the guest."""
    for step in steps:
        match step.act.kind:
            case "probe":
                assert step.call is not None, "a batch is split into calls"
                yield Script(CALL, batch_of(step.context, [step.call]))
            case "run":
                yield _run(step.act.text)
            case "write":
                yield _write(step.act.text, step.act.data)
            case "dma":
                yield _dma(step.act.number, step.act.data)


def _run(command: str) -> Script:
    return Script(RUN, command.encode())


def _write(path: str, content: bytes) -> Script:
    return Script(WRITE.replace("{path}", quote(path)), content)


def _dma(address: int, data: bytes) -> Script:
    return Script(DMA.replace("{address}", str(address)), data)


class Playback:
    """The calls of a guest that plays a recording, and the way to each."""

    def __init__(self, guest: Guest, recording: Recording) -> None:
        self._guest, self.recording = guest, recording
        self.moments, self.end = recording.moments, recording.end

    @property
    def icount(self) -> int:
        """Instructions that have been executed."""
        return int(self._guest.monitor.execute("query-replay")["icount"])

    def next_call(self) -> tuple[str, int]:
        """What comes next, or is going on, and the moment of its end; empty behind the last."""
        now = self.icount
        ends = [*(one.icount for one in self.moments), self.end]
        texts = ["[the boot]", *(one.text for one in self.moments)]
        left = ((text, end) for text, end in zip(texts, ends, strict=True) if end > now)
        return next(left, ("", now))

    def seek(self, icount: int) -> bool:
        """Go to a moment, forwards or backwards, and stand still there; whether it was reached.

        A breakpoint stops it before. Backwards, QEMU loads a state and plays from there.
        """
        monitor = self._guest.monitor
        self._guest.pause()
        if self.icount == icount:
            return True
        begin = monitor.mark
        monitor.execute("replay-seek", icount=icount)
        monitor.wait_event("STOP", timeout=SEEK_TIMEOUT, since=begin)
        return self.icount == icount

    def stop_at(self, icount: int) -> None:
        """Make the machine stop at a later moment, when it runs next."""
        if self.icount < icount:
            self._guest.monitor.execute("replay-break", icount=icount)

    @property
    def is_over(self) -> bool:
        """Whether QEMU has played all, and can neither go on nor back."""
        return bool(self._guest.monitor.execute("query-status")["status"] == "shutdown")


def open_recording(recording: Recording) -> tuple[Guest, Playback]:
    """Start a machine that plays a recording; it stands still before its first instruction."""
    guest = Guest(recording.machine)
    guest.agent.discard()
    for moment in recording.moments:
        guest.agent.journal.append(moment.text)
    return guest, Playback(guest, recording)
