# SPDX-License-Identifier: Apache-2.0
"""The shell's session goes on whatever a person types, and tells of the guest's end at once."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.base.errors import AgentError, GuestCrash
from harness.base.outcome import Ending, Outcome
from harness.machine.qemu.watch import Watch
from harness.shell import Session, live_target
from harness.shell.commands import commands

PANIC = Ending(Outcome.PANIC, "Kernel panic - not syncing: test")


@dataclass
class FakeKernel:
    """A kernel whose vmlinux is gone."""

    vmlinux: Path = Path("/no/vmlinux")
    types: bool = True
    key: str = "fake"


@dataclass
class FakeMachine:
    """A machine with two root ports and 256 MiB."""

    ports: int = 2
    ram_size: int = 256 << 20
    recorded: None = None
    kernel: FakeKernel = field(default_factory=FakeKernel)


@dataclass
class FakeMonitor:
    """Answers ``query-status``."""

    running: bool = True

    def execute(self, command: str) -> object:
        """Tell the state."""
        assert command == "query-status"
        return {"running": self.running}


class FakeAgent:
    """Fails as it is told to."""

    fault: BaseException = AgentError("no such program", 2)

    def run(self, *_: object, **__: object) -> object:
        """Fail."""
        raise self.fault


@dataclass
class FakeGuest:
    """As much of a guest as the session sees when nothing is really done."""

    machine: FakeMachine = field(default_factory=FakeMachine)
    monitor: FakeMonitor = field(default_factory=FakeMonitor)
    agent: FakeAgent = field(default_factory=FakeAgent)
    watch: Watch = field(default_factory=Watch)

    @property
    def ending(self) -> Ending | None:
        """How it ended."""
        return self.watch.ending


@pytest.fixture
def guest() -> FakeGuest:
    return FakeGuest()


@pytest.fixture
def session(guest: FakeGuest) -> Session:
    return Session(live_target(guest))


def test_help_names_every_command(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.obey("help")

    forms = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert commands().keys() <= forms


@pytest.mark.parametrize("name", commands())
def test_the_help_of_a_command_has_its_forms(
    session: Session, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    session.obey(f"help {name}")

    assert capsys.readouterr().out.startswith(name)


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "help nonsense",
        "run",
        "memory",
        "memory 1 2 3",
        "memory here",
        "memory 0 0",
        "rogue",
        "rogue sing",
        "rogue plug 2",
        "rogue plug first",
        "rogue plug 1 lamb",
        "rogue unplug",
        "rogue read 0 -1",
        "rogue write 0",
        "rogue write 0 zz",
        "rogue msi 2 1",
        "rogue msi 0 65536",
        "rogue master maybe",
        "rogue 'open",
        "run fails",
    ],
)
def test_what_makes_no_sense_is_an_error_and_the_session_goes_on(
    session: Session, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    goes_on = session.obey(line)

    assert (goes_on, capsys.readouterr().out[:7]) == (True, "error: ")


@pytest.mark.parametrize("line", ["quit", "exit", "q"])
def test_every_usual_word_ends_the_session(session: Session, line: str) -> None:
    assert session.obey(line) is False


@pytest.mark.parametrize(
    ("line", "meant"), [("qiut", "quit"), ("memry 0", "memory"), ("rogue plug 0 edo", "edu")]
)
def test_a_mistyped_word_is_answered_with_the_one_that_was_meant(
    session: Session, capsys: pytest.CaptureFixture[str], line: str, meant: str
) -> None:
    session.obey(line)

    assert f"did you mean '{meant}'?" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["", "  ", "# a remark"])
def test_a_line_without_a_command_does_nothing(
    session: Session, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert session.obey(line) is True
    assert capsys.readouterr().out == ""


def test_a_fault_of_a_command_is_a_sentence_and_its_traceback_is_kept(
    guest: FakeGuest,
    session: Session,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    guest.agent.fault = ZeroDivisionError("division by zero")

    assert session.obey("run fails") is True
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().out
    assert "Traceback" in (tmp_path / "shell-fault.txt").read_text()


@pytest.mark.parametrize("line", ["console", "run true", "rogue plug"])
def test_a_machine_that_stands_still_is_not_waited_for(
    guest: FakeGuest, session: Session, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    guest.monitor.running = False

    session.obey(line)

    assert "'continue' resumes it" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["console", "run true", "rogue plug"])
def test_a_dead_guest_is_not_asked(
    guest: FakeGuest, session: Session, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    guest.watch.end(PANIC)

    session.obey(line)

    assert capsys.readouterr().out == f"error: {PANIC}\n"


def test_an_interrupted_command_leaves_the_session(
    guest: FakeGuest, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    guest.agent.fault = KeyboardInterrupt()

    assert session.obey("run sleep 60") is True
    assert "interrupted" in capsys.readouterr().out


def test_an_end_at_the_prompt_is_told_at_once(
    guest: FakeGuest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda _: guest.watch.end(PANIC) or "quit")
    Session(live_target(guest)).converse()

    assert f"The guest has ended: {PANIC}" in capsys.readouterr().out


def test_an_end_during_a_command_is_told_after_it(
    guest: FakeGuest, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    def die(*_: object, **__: object) -> object:
        guest.watch.end(PANIC)
        raise GuestCrash(str(PANIC))

    guest.agent.run = die

    session.obey("run crash")

    assert capsys.readouterr().out.splitlines()[-1].startswith(f"The guest has ended: {PANIC}")
