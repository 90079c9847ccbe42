# SPDX-License-Identifier: Apache-2.0
"""The same QEMU machine without the harness: the reference of the measurements."""

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.machine.machine import BLOB, Machine
from harness.machine.qemu.agent import Agent
from harness.machine.qemu.ram import GuestRam
from harness.machine.qemu.runroot import choose_run_root
from harness.machine.qemu.snapshot import CAPABILITIES, Snapshot

TIMEOUT = 60.0


@dataclass(frozen=True)
class Bare:
    """A running QEMU: when it was started, and the sockets that it has connected to."""

    begin: float
    agent: socket.socket
    monitor: socket.socket


def bare_boot(machine: Machine) -> float:
    """Seconds from the start of QEMU to the agent's first byte."""
    with _qemu(machine, []) as qemu:
        qemu.agent.recv(1)
        return time.monotonic() - qemu.begin


def bare_restore(snapshot: Snapshot) -> float:
    """Seconds from the start of QEMU to the first answer of the agent."""
    with _qemu(snapshot.machine, ["-incoming", "defer"], snapshot.ram) as qemu:
        _load(qemu.monitor, snapshot.state)
        Agent(qemu.agent).hello(TIMEOUT)
        return time.monotonic() - qemu.begin


def _load(monitor: socket.socket, state: Path) -> None:
    """Load a migration stream and run it, in as few QMP words as it takes."""
    with monitor.makefile("rw") as stream:
        for command, arguments in (
            ("qmp_capabilities", {}),
            (
                "migrate-set-capabilities",
                {"capabilities": [{"capability": one, "state": True} for one in CAPABILITIES]},
            ),
            ("migrate-incoming", {"uri": f"exec:cat '{state}'"}),
        ):
            stream.write(json.dumps({"execute": command, "arguments": arguments}))
        stream.flush()
        while '"completed"' not in stream.readline():
            pass
        stream.write('{"execute": "cont"}')
        stream.flush()


@contextmanager
def _qemu(machine: Machine, extra: list[str], saved_ram: Path | None = None) -> Iterator[Bare]:
    with ExitStack() as stack:
        name = stack.enter_context(
            tempfile.TemporaryDirectory(dir=choose_run_root().path, prefix="bare-")
        )
        run = Path(name)
        (run / BLOB).write_bytes(machine.blob)
        listeners = [stack.enter_context(_listen(run / line)) for line in ("agent", "monitor")]
        command = [*_plain(machine.command(run, restored=saved_ram is not None), run), *extra]
        ram = GuestRam.make(machine.blocks)
        stack.callback(ram.close)
        ram.link(machine.memory_files(run))
        begin = time.monotonic()
        qemu = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=ram.files)
        )
        stack.callback(qemu.kill)
        if saved_ram is not None:
            ram.load(saved_ram)
        agent, monitor = (stack.enter_context(listener.accept()[0]) for listener in listeners)
        agent.settimeout(TIMEOUT)
        yield Bare(begin, agent, monitor)


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    listener.settimeout(TIMEOUT)
    return listener


def _plain(command: list[str], run: Path) -> list[str]:
    """The same machine, running at once: no qtest, no log, the console thrown away."""
    kept = [word for word in command if word != "-S"]
    for option in ("-qtest", "-qtest-log", "-d", "-D"):
        at = kept.index(option)
        del kept[at : at + 2]
    return [_plain_line(word, run) for word in kept]


def _plain_line(word: str, run: Path) -> str:
    name = word.removeprefix("socket,id=").partition(",")[0]
    if name in ("agent", "monitor") and name != word:
        return f"socket,id={name},path={run / name}"
    return f"null,id={name}" if word.startswith("socket,id=") else word
