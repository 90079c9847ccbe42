# SPDX-License-Identifier: Apache-2.0
"""The shell's session goes on whatever a person types, and tells of the guest's end at once."""

import io
from dataclasses import dataclass, field

import pytest

from harness.base.errors import AgentError, GuestCrash
from harness.base.outcome import Ending, Outcome
from harness.machine.qemu.watch import Watch
from harness.shell import Session

PANIC = Ending(Outcome.PANIC, "Kernel panic - not syncing: test")

COMMANDS = (
    "console",
    "info",
    "log",
    "memory",
    "pools",
    "python",
    "qmp",
    "quit",
    "rogue",
    "run",
    "save",
)


@dataclass
class FakeMachine:
    """A machine with two root ports and 256 MiB."""

    ports: int = 2
    ram_size: int = 256 << 20


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
    return Session(guest)


def test_help_names_every_command(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    session.onecmd("help")

    forms = {line.split()[0] for line in capsys.readouterr().out.splitlines() if line[0] != " "}
    assert forms == {*COMMANDS, "help"}


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
    stop = session.onecmd(line)

    assert (stop, capsys.readouterr().out[:7]) == (False, "error: ")


@pytest.mark.parametrize("line", ["quit", "EOF"])
def test_quit_and_the_end_of_input_stop(session: Session, line: str) -> None:
    assert session.onecmd(line) is True


@pytest.mark.parametrize("line", ["console", "run true", "rogue plug"])
def test_a_machine_that_stands_still_is_not_waited_for(
    guest: FakeGuest, session: Session, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    guest.monitor.running = False

    session.onecmd(line)

    assert "'cont' in 'qmp' resumes it" in capsys.readouterr().out


@pytest.mark.parametrize("line", ["console", "run true", "rogue plug"])
def test_a_dead_guest_is_not_asked(
    guest: FakeGuest, session: Session, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    guest.watch.end(PANIC)

    session.onecmd(line)

    assert capsys.readouterr().out == f"error: {PANIC}\n"


def test_an_interrupted_command_leaves_the_session(
    guest: FakeGuest, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    guest.agent.fault = KeyboardInterrupt()

    assert session.onecmd("run sleep 60") is False
    assert "interrupted" in capsys.readouterr().out


def test_an_end_at_the_prompt_is_told_at_once(
    guest: FakeGuest, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("quit\n"))
    Session(guest).converse()
    capsys.readouterr()

    guest.watch.end(PANIC)

    assert f"The guest has ended: {PANIC}" in capsys.readouterr().out


def test_an_end_during_a_command_is_told_after_it(
    guest: FakeGuest, session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    def die(*_: object, **__: object) -> object:
        guest.watch.end(PANIC)
        raise GuestCrash(str(PANIC))

    guest.agent.run = die

    session.onecmd("run crash")

    assert capsys.readouterr().out.splitlines()[-1].startswith(f"The guest has ended: {PANIC}")
