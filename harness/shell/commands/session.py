# SPDX-License-Identifier: Apache-2.0
"""The session and its machine: state, files, console, QMP, the end."""

import json
import socket
import sys
from pathlib import Path

from harness.base.errors import InputError
from harness.base.outcome import Outcome
from harness.machine.qemu.artifacts import keep, reopen_command, save
from harness.shell.answer import Answer, fields
from harness.shell.attaching import attach_commands
from harness.shell.command import (
    Argument,
    Command,
    EndOfSession,
    Needs,
    Takes,
    WrongForm,
)
from harness.shell.commands.stops import debugger, outcome_answer
from harness.shell.shared_console import join_console
from harness.shell.target import Target
from harness.shell.terminal import attach, run_program
from harness.shell.words import parse_words

GREETING_TIMEOUT = 2.0
"""Seconds for QEMU's greeting; normally milliseconds."""

COMMAND_TIMEOUT = 60.0
"""Seconds that a command run through the agent may take."""


def quit_session(_: Target, words: list[str]) -> None:
    """End the session."""
    if words:
        raise WrongForm
    raise EndOfSession


def show_info(target: Target, words: list[str]) -> Answer:
    """State, process, files, and the commands to attach from another terminal."""
    if words:
        raise WrongForm
    if target.is_dump:
        return fields({"state": target.what, "vmlinux": target.vmlinux})
    guest = target.guest
    state = guest.ending or ("running" if target.is_running() else "stopped")
    content: dict[str, object] = {
        "state": str(state),
        "QEMU process": guest.process.pid,
        "run directory": guest.directory,
        "vmlinux": target.vmlinux,
        "QMP socket": guest.person_socket,
        **attach_commands(target),
    }
    return fields(content)


def open_console(target: Target, words: list[str]) -> None:
    """The guest's own shell until Ctrl-]."""
    if words:
        raise WrongForm
    if target.shared_console is None:
        target.require(Needs.RUNNING)
    print("Ctrl-] leaves the console.")
    if target.shared_console is None:
        attach(target.guest)
    else:
        join_console(target.shared_console)
    print()


def use_qmp(target: Target, words: list[str]) -> Answer | None:
    """QEMU's QMP shell, on a socket of its own, or the answer to one QMP command."""
    if words:
        command, arguments = parse_qmp(words[0])
        value = target.guest.monitor.execute(command, arguments)
        return Answer(value if isinstance(value, str) else json.dumps(value, indent=1), value)
    path = target.guest.person_socket
    _require_free(path)
    run_program([sys.executable, "-m", "qemu.qmp.qmp_shell", str(path)])
    return None


def parse_qmp(text: str) -> tuple[str, dict[str, object]]:
    """A QMP command as JSON, or as ``NAME KEY=VALUE...`` with a value in JSON or as it is.

    Raises InputError for something else.
    """
    if text.startswith("{"):
        try:
            sent = json.loads(text)
            return str(sent["execute"]), dict(sent.get("arguments", {}))
        except (ValueError, KeyError, TypeError) as fault:
            raise InputError(f"{text} is no QMP command: {fault!r}") from fault
    name, *pairs = parse_words(text)
    arguments: dict[str, object] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"{pair!r} is no argument of a QMP command: expected KEY=VALUE")
        try:
            arguments[key] = json.loads(value)
        except ValueError:
            arguments[key] = value
    return name, arguments


def _require_free(path: Path) -> None:
    """Raise InputError if another terminal is connected: QEMU greets one client at a time."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(GREETING_TIMEOUT)
        connection.connect(str(path))
        try:
            connection.recv(1)
        except TimeoutError:
            raise InputError(
                f"{path} does not greet: another terminal is connected to it, and QEMU serves one "
                "at a time"
            ) from None


def run_in_guest(target: Target, words: list[str]) -> Answer:
    """The output of a shell command in the guest."""
    if not words:
        raise WrongForm

    def run() -> Answer:
        ran = target.guest.agent.run(words[0], timeout=COMMAND_TIMEOUT)
        cut = f", killed after {COMMAND_TIMEOUT:g} s" if ran.timed_out else ""
        text = ran.text if not ran.text or ran.text.endswith("\n") else f"{ran.text}\n"
        return Answer(f"{text}[exit status {ran.status}{cut}]")

    return outcome_answer(target, debugger(target).call(words[0], run))


def save_artifacts(target: Target, words: list[str]) -> Answer:
    """Keep logs, devicetree and an ELF dump; the guest goes on."""
    running = target.is_running()
    match words:
        case []:
            directory = keep(target.guest, "shell")
        case [name]:
            directory = Path(name).expanduser()
            directory.mkdir(parents=True, exist_ok=True)
            save(target.guest, directory)
        case _:
            raise WrongForm
    if running:
        target.guest.resume()
    directory = directory.resolve()
    command = reopen_command(directory)
    return Answer(f"{command}\n{directory}", {"directory": str(directory), "reopen": command})


def stop(target: Target, words: list[str]) -> None:
    """Stop the CPUs."""
    if words:
        raise WrongForm
    target.guest.pause()


def available(target: Target) -> str:
    """What still works on a guest that has ended, for a person."""
    ending = target.guest.ending
    memory = "'memory', 'pools', 'slots', 'where', 'search'"
    if ending is not None and ending.outcome is Outcome.QEMU_DIED:
        return f"{memory}, 'log', 'info' and 'save'"
    return f"{memory}, 'qmp', 'log', 'info' and 'save'"


END = ("End the session and discard the machine, as Ctrl-D does.", ("",), quit_session)

COMMANDS = (
    *(Command(name, *END, needs=Needs.NOTHING) for name in ("quit", "exit", "q")),
    Command(
        "info",
        "List the state, process, sockets and files of this machine, and how to attach to it.",
        ("",),
        show_info,
        needs=Needs.NOTHING,
    ),
    Command(
        "console",
        "Go to the guest's own shell; Ctrl-] leaves it.",
        ("",),
        open_console,
        needs=Needs.NOTHING,
    ),
    Command(
        "qmp",
        "Go to QEMU's own QMP shell, on a socket of its own, until Ctrl-D; or run one QMP command.",
        ("", "COMMAND [KEY=VALUE...]", '{"execute": "COMMAND", "arguments": {...}}'),
        use_qmp,
        ("qmp", "qmp query-status", "qmp query-qmp-schema | less"),
        needs=Needs.QEMU,
        arguments=(Argument.QMP,),
        takes=Takes.TEXT,
    ),
    Command(
        "run",
        "Run a shell command in the guest, through the agent and not the console.",
        ("COMMAND...",),
        run_in_guest,
        ("run cat /proc/meminfo | head -3",),
        needs=Needs.RUNNING,
        takes=Takes.LINE,
    ),
    Command(
        "save",
        "Keep logs, devicetree and an ELF dump in a directory, then go on.",
        ("[DIRECTORY]",),
        save_artifacts,
        ("save ~/kept",),
        needs=Needs.NOTHING,
        arguments=(Argument.FILE,),
    ),
    Command("stop", "Stop the guest's CPUs.", ("",), stop, needs=Needs.QEMU),
)
