# SPDX-License-Identifier: Apache-2.0
"""QEMU with the harness's files and devices, but without the harness: what there is to beat."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.vm.agent import Agent
from harness.vm.machine import BLOB, Machine
from harness.vm.snapshot import Snapshot

TIMEOUT = 60.0


def bare_boot(machine: Machine) -> float:
    """Seconds from the start of QEMU to the agent's first byte."""
    with _bare_qemu(machine, []) as (begin, line):
        line.recv(1)
        return time.monotonic() - begin


def bare_restore(snapshot: Snapshot) -> float:
    """Seconds from the start of QEMU to the first answer of the agent."""
    incoming = ["-incoming", f"exec:cat '{snapshot.state}'"]
    with _bare_qemu(snapshot.machine, incoming) as (begin, line):
        Agent(line).hello(TIMEOUT)
        return time.monotonic() - begin


@contextmanager
def _bare_qemu(machine: Machine, extra: list[str]) -> Iterator[tuple[float, socket.socket]]:
    """Run the machine with nothing but its serial lines; yields the start and the agent's line."""
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="bare-") as name:
        run = Path(name)
        (run / BLOB).write_bytes(machine.devicetree.blob)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(run / "line"))
            listener.listen(1)
            command = [*_without_monitors(machine.command(run), run / "line"), *extra]
            begin = time.monotonic()
            with subprocess.Popen(command, stdin=subprocess.DEVNULL) as qemu:
                try:
                    listener.settimeout(TIMEOUT)
                    line = listener.accept()[0]
                    line.settimeout(TIMEOUT)
                    yield begin, line
                finally:
                    qemu.kill()


def _without_monitors(command: list[str], line: Path) -> list[str]:
    """The same machine, running at once: no QMP, no qtest, the console thrown away."""
    kept = [word for word in command if word not in ("-S",)]
    for option in ("-mon", "-qtest", "-qtest-log", "-d", "-D"):
        while option in kept:
            at = kept.index(option)
            del kept[at : at + 2]
    return [_plain_line(word, line) for word in kept]


def _plain_line(word: str, line: Path) -> str:
    if word.startswith("socket,id=agent,"):
        return f"socket,id=agent,path={line}"
    if word.startswith("socket,id="):
        return f"null,id={word.split(',')[1].removeprefix('id=')}"
    return word
