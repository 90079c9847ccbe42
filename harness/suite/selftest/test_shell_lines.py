# SPDX-License-Identifier: Apache-2.0
"""Whatever a person types into a session: no traceback, no hang, nothing left."""

import functools
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.devices.attacks.machines import fenced
from harness.machine.machine import Machine
from harness.machine.qemu.snapshot import park, restore
from harness.machine.shape import DEFAULT_SHAPE, shaped_devicetree
from harness.shell import Session, live_target
from harness.shell.command import Command
from harness.shell.commands import commands
from harness.shell.commands.snapshots import Snapshots
from harness.shell.debugger import Debugger
from harness.suite.lib.person import SESSION_TESTS

pytestmark = SESSION_TESTS

LINES = 1000

LONGEST = 60.0
"""Seconds for a line; a fault of the guest is told after its own time-outs, about 35 s."""

QUICK = 0.1
"""Seconds of processor time for an answer on 256 MiB."""

INTERACTIVE = {
    *("quit", "exit", "q", "console", "qmp", "python", "drgn", "gdb", "save", "fuzz", "script"),
}
"""They end the session, take the terminal, or write where the line says."""

WORDS = st.sampled_from(
    [
        *("pool", "pool1", "pool:slot3", "pool:slot99999", "mapping:0", "buffer:0", "$pc", "$x99"),
        *("linux_banner", "swiotlb_map+0x20", "linux_baner", "0x4f000000", "0", "-1", "64", "all"),
        *("0xffffffffffffffff", "0x100000000", "/8gx", "/99999gx", "/s", "/3i", "/zz", "*pool"),
        *("in", "free", "kernel", "read", "write", "access", "by", "device", "if", "$x1 == 5"),
        *("plug", "unplug", "edu", "nvme", "rng", "on", "off", "c0ffee", '"Linux"', "'open"),
        *("swiotlb", "dma", "nonsense", "one", "two", "true", "uname", "1", "2", "patch-data"),
        *("--json", "clear", "master", "msi", "(", "1+", "\x00", "é", "🦊", "$(", "a" * 300),
    ]
)

PIPES = st.sampled_from(["", "", "", " | cat", " | head -1", " | nonsense", " |", " | true"])


@st.composite
def lines(draw: st.DrawFn) -> str:
    """A command with words that it might take, or noise."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.text(max_size=40))
    name = draw(st.sampled_from(sorted(commands().keys() - INTERACTIVE)))
    command: Command = commands()[name]
    example = draw(st.sampled_from([*command.examples, name, name]))
    if draw(st.booleans()):
        return example + draw(PIPES)
    words = draw(st.lists(WORDS, max_size=4))
    return " ".join([name, *words]) + draw(PIPES)


def _waits_for_a_person(session: Session, line: str) -> bool:
    """Whether a line follows something until Ctrl-C, or waits for the next stop."""
    armed = session.target.parts.get(Debugger)
    waits = armed is not None and (armed.armed or armed.pending is not None)
    return line.split()[:2] in (["log", "-f"], ["trace", "-f"]) or (
        line.split("|", maxsplit=1)[0].split() == ["continue"] and waits
    )


def _children() -> set[str]:
    """The processes that this one has started and that have not ended."""
    files = Path("/proc/self/task").glob("*/children")
    return {pid for file in files for pid in file.read_text().split()}


def _keep_no_fault(fault: BaseException) -> Path:
    raise AssertionError("the shell has a fault") from fault


def test_no_line_is_more_than_an_answer_or_an_error(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand lines on one session, whose guest stops, dies and comes back meanwhile."""
    monkeypatch.setattr("harness.shell.session._keep_fault", _keep_no_fault)
    before = _children()
    with restore(park(machine)) as guest:
        session = Session(live_target(guest))
        session.obey("snapshot one")

        @settings(
            max_examples=LINES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(lines())
        def obey(line: str) -> None:
            if not session.target.is_running():
                session.obey("back one")
            if _waits_for_a_person(session, line):
                return
            begin = time.monotonic()
            assert session.obey(line)
            assert time.monotonic() - begin < LONGEST

        obey()
        assert session.obey("back one")
        assert session.obey("run true")
        snapshots = session.target.part(Snapshots, Snapshots)
        session.target.close()
    assert _children() <= before
    assert not snapshots.made["one"].ram.exists()


def test_answers_come_at_once(
    machine: Machine, mapper: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``slots``, ``where`` and ``search`` take less than 0.1 s of this process on 256 MiB."""
    with restore(park(machine)) as guest:
        session = Session(live_target(guest))
        session.obey(f"python {mapper}")
        for line in ("slots", "where buffer:0", 'search "no such text"'):
            session.obey(line)
            times = []
            for _ in range(3):
                begin = time.process_time()
                session.obey(line)
                times.append(time.process_time() - begin)
            assert min(times) < QUICK, line
        session.target.close()
    assert "error" not in capsys.readouterr().out


def test_an_smmu_shows_what_each_device_accesses(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a fence of an SMMU, the shell reports accesses by the device's address on the bus."""
    tree = functools.partial(
        shaped_devicetree, machine.qemu, DEFAULT_SHAPE, ram_size=machine.ram_size
    )
    with restore(park(fenced(machine, "smmu", tree))) as guest:
        session = Session(live_target(guest))
        session.obey("watch pool:slot1 by device")
        session.obey("rogue write pool:slot0 c0ffee")
        assert "device access" not in capsys.readouterr().out
        session.obey("rogue write pool:slot1 c0ffee")
        session.obey("rogue write linux_banner 00")
        assert "device access: 0000:01:00.0 at 0x4f000800" in capsys.readouterr().out
        session.obey("fence")
        assert "refused accesses: 1" in capsys.readouterr().out
        session.target.close()
