# SPDX-License-Identifier: Apache-2.0
"""Python processes that start at once: copies of one that has imported pytest and the harness.

Imports take a second of a CPU, which the processes of hundreds of tests would spend again. A copy
(fork(2)) of a process that has imported all has its own arguments, environment, directory and
streams, and ends and is killed as any other. What depends on the start itself, such as options of
the interpreter, needs ``subprocess``.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Self

import pytest

IMPORTED = ("harness.cli", "harness.results.history", "hypothesis.stateful", "xdist")
"""What is imported beside pytest and its plugins."""

PATIENCE = 120.0
"""Seconds that a process may take on a busy machine."""

MOST = 1 << 20
"""Bytes of a request: the command, its directory and its environment."""

NEWS = struct.Struct("i")
"""First the number of the process, then its status, as waitpid(2) has them."""


class QuickPython:
    """A process that runs ``python`` *words*, used as a ``subprocess.Popen`` with pipes of text.

    *merged*: what it says on stderr goes where its stdout goes.
    """

    def __init__(
        self,
        words: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        merged: bool = False,
    ) -> None:
        self.args = list(map(str, words))
        self.returncode: int | None = None
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        stdin, into = os.pipe()
        out, stdout = os.pipe()
        self._news, news = os.pipe()
        environment = dict(os.environ if env is None else env)
        request = {"words": self.args, "cwd": str(cwd or Path.cwd()), "env": environment}
        stderr = stdout if merged else self._errors.fileno()
        socket.send_fds(_source(), [json.dumps(request).encode()], (stdin, stdout, stderr, news))
        for file in (stdin, stdout, news):
            os.close(file)
        self.stdin, self.stdout = os.fdopen(into, "w"), os.fdopen(out)
        self.pid = self._hear(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdin.close()
        self.stdout.close()
        self.wait()
        self._errors.close()

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; raises TimeoutExpired."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(self._hear(timeout))
            os.close(self._news)
        return self.returncode

    def kill(self) -> None:
        """End it as ``kill -9`` does, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float = PATIENCE) -> tuple[str, str]:
        """What it said on stdout and stderr up to its end; it is killed after *timeout* seconds."""
        with self, _after(timeout, self.kill) as late:
            self.stdin.close()
            said = self.stdout.read()
            self.wait()
            self._errors.seek(0)
            errors = self._errors.read().decode()
        if late.is_set():
            raise subprocess.TimeoutExpired(self.args, timeout, said, errors)
        return said, errors

    def _hear(self, timeout: float | None) -> int:
        if not select.select([self._news], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        news = os.read(self._news, NEWS.size)
        assert news, "the process of which others are copies has ended"
        (number,) = NEWS.unpack(news)
        return int(number)


def run_quickly(
    words: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = PATIENCE,
) -> "subprocess.CompletedProcess[str]":
    """Run ``python`` *words* to its end, as ``subprocess.run`` does."""
    process = QuickPython(words, cwd=cwd, env=env)
    said, errors = process.communicate(timeout)
    return subprocess.CompletedProcess(process.args, process.wait(), said, errors)


@contextmanager
def _after(seconds: float, act: Callable[[], None]) -> Iterator[threading.Event]:
    """Call *act*, and set the event, if the block takes longer than *seconds*."""
    late = threading.Event()

    def ring() -> None:
        late.set()
        act()

    timer = threading.Timer(seconds, ring)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
        timer.join()


@cache
def _source() -> socket.socket:
    """The process that makes copies of itself; it ends with this one."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST)
    with its:
        process = subprocess.Popen(
            [sys.executable, __file__, str(its.fileno())],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[its.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


class _Importer:
    """A plugin that imports the rest while pytest rewrites the assertions of plugins."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self) -> int:
        """Be the session."""
        for name in IMPORTED:
            importlib.import_module(name)
        return 0


def _import_all() -> None:
    pytest.main([], plugins=[_Importer()])
    gc.freeze()  # what is never collected is not copied for that


def _await_request(channel: socket.socket) -> list[str]:
    """Fork for each request; returns in the copy, which has become what was asked for."""
    copies = set()
    while True:
        message, files, _, _ = socket.recv_fds(channel, MOST, 4)
        if not message:
            sys.exit()
        copy = os.fork()
        if copy == 0:
            channel.close()
            return _fork(json.loads(message), *files)
        copies.add(copy)
        copies -= {one for one in copies if os.waitpid(one, os.WNOHANG)[0]}
        for file in files:
            os.close(file)


def _fork(request: dict[str, Any], stdin: int, stdout: int, stderr: int, news: int) -> list[str]:
    """Fork once more: this process tells how the other one ends, which returns its words."""
    process = os.fork()
    if process:
        for file in (stdin, stdout, stderr):
            os.close(file)
        os.write(news, NEWS.pack(process))
        os.write(news, NEWS.pack(os.waitpid(process, 0)[1]))
        os._exit(0)
    os.close(news)
    for number, file in enumerate((stdin, stdout, stderr)):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    own = sys.path[1:]  # the first is the folder of this file
    found = request["env"].get("PYTHONPATH", "").split(":")
    sys.path[:] = [*(one for one in found if one and one not in own), *own]
    words: list[str] = request["words"]
    return words


def _run(words: list[str]) -> None:
    """Run *words* as the interpreter does: ``-m NAME``, ``-c CODE`` or a file, with arguments."""
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        sys.path.insert(0, "")
        exec(compile(words[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).parent))
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        words = _await_request(channel)
    _run(words)
