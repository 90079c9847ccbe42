# SPDX-License-Identifier: Apache-2.0
"""A person at a terminal with ``harness shell``."""

import json
import re
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest

# what Python says since 3.12 about the fork that pexpect needs; the child only executes
FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

SESSION_TESTS = [
    pytest.mark.any_kernel("a person debugs any guest"),
    pytest.mark.needs("a person looks at the kernel's structures", types=True),
    FORKS,
]
"""The marks of a file of tests in which a person debugs a guest."""

NEEDS_GDB = pytest.mark.skipif(
    shutil.which("gdb-multiarch") is None, reason="gdb-multiarch is not installed"
)

HARNESS = str(Path(sys.executable).with_name("harness"))
"""The program of this environment, which need not be in the path."""

PROMPT = "harness> "
IN_GUEST = "[/~] # "
"""Since busybox 1.37 its shell calls the home directory so, which is /."""

CTRL_C, LEAVE = "\x03", "\x1d"
"""Keys: the second, Ctrl-], leaves the guest's console."""

ROWS, COLUMNS = 37, 117
"""A window that is nobody's default."""

TIMEOUT = 20
"""Seconds for whatever is expected next; restoring a guest takes the longest, some 2."""

MAPPER = """\
from harness.devices.probe import Direction
buffer = probe.buffer(8192)
mapping = probe.device("probe-a").map_single(buffer, Direction.TO_DEVICE, size=5000)
"""
"""A script for the shell's Python: it maps three slots."""


@dataclass(frozen=True)
class Person:
    """Types on *terminal* and reads what it shows; *intro* came before the first prompt."""

    terminal: Any
    intro: str = ""

    def ask(self, line: str) -> str:
        """Type a command and return what it says."""
        self.terminal.sendline(line)
        self.terminal.expect_exact(PROMPT)
        return str(self.terminal.before)

    def json(self, line: str) -> Any:
        """The data of a command's answer."""
        return json.loads(self.ask(f"{line} --json | cat").partition("cat")[2])

    def info(self, name: str) -> str:
        """What ``info`` says of something."""
        found = re.search(rf"^{name} +(.*?)\r$", self.ask("info | cat"), re.MULTILINE)
        assert found is not None, name
        return found[1]

    def leave(self) -> None:
        """Hang up, and wait until the program has ended; kill it if it does not."""
        if self.terminal.closed:
            return
        self.terminal.kill(signal.SIGHUP)
        try:
            self.terminal.expect(pexpect.EOF)
        except pexpect.TIMEOUT:
            self.terminal.kill(signal.SIGKILL)
        self.terminal.wait()
        self.terminal.close()


def sit_down(command: Sequence[str]) -> Person:
    """Start *command*, which is a session, and wait for its prompt."""
    program, *words = command
    terminal = pexpect.spawn(
        program, words, encoding="utf-8", timeout=TIMEOUT, dimensions=(ROWS, COLUMNS)
    )
    terminal.expect_exact(PROMPT)
    return Person(terminal, str(terminal.before))
