# SPDX-License-Identifier: Apache-2.0
"""Run a compiler on what a stranger wrote: with bounds on time, memory and output."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from harness.base.errors import DevicetreeError
from harness.base.space import GIB, MIB
from harness.base.tools import find_tool

UNPARSED = "FATAL ERROR: Unable to parse input tree"
CPU_SECONDS, WALL_SECONDS = 10, 20
MEMORY, OUTPUT = 1 * GIB, 64 * MIB
"""Bounds of each program that reads a source."""


def run_bounded(
    command: Sequence[str | Path],
    data: bytes,
    failed: str,
    check: Callable[[str], None] = lambda _: None,
    directory: Path = Path(),
) -> bytes:
    """Run a program on *data* within bounds; raises DevicetreeError with its first complaint.

    It runs in *directory*: cpp looks there first for the files of a source that it reads from a
    pipe.

    *check* sees what it printed as errors before anybody else does.
    """
    limits = [f"--cpu={CPU_SECONDS}", f"--as={MEMORY}", f"--fsize={OUTPUT}", "--core=0"]
    guard = [str(find_tool("prlimit")), *limits, "--", str(find_tool(str(command[0])))]
    with (
        tempfile.TemporaryFile() as given,  # a pipe could block, and has no bound
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as errors,
    ):
        given.write(data)
        given.seek(0)
        words = [*guard, *map(str, command[1:])]
        code = _wait(words, directory, given, out, errors)
        errors.seek(0)
        said = errors.read(MIB).decode(errors="replace")
        check(said)
        if code is None:
            raise DevicetreeError(f"{failed}: {command[0]} took more than {WALL_SECONDS} s")
        if code < 0 or code > 128 or "limit exceeded" in said:
            raise DevicetreeError(
                f"{failed}: {command[0]} needed more memory, time or output than it is given: the "
                "source is nested too deep or too large"
            )
        if code:
            raise DevicetreeError(f"{failed}: {_complaint(said)}")
        out.seek(0)
        return out.read()


def _wait(
    words: Sequence[str], directory: Path, given: IO[bytes], out: IO[bytes], errors: IO[bytes]
) -> int | None:
    """Run a program with its children to its end; None if it had to be killed."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    with subprocess.Popen(
        words,
        cwd=directory,
        env=env,
        stdin=given,
        stdout=out,
        stderr=errors,
        start_new_session=True,
    ) as process:
        try:
            return process.wait(WALL_SECONDS)
        except BaseException as fault:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(fault, subprocess.TimeoutExpired):
                return None
            raise


def _complaint(said: str) -> str:
    """The first lines of what a compiler says, without the list of opened files."""
    skipped = (".", "In file included from", " ")
    lines = [line for line in said.splitlines() if line and not line.startswith(skipped)]
    return reason("; ".join(line.strip() for line in lines[:3])) or "it gave no reason"


def reason(complaint: str) -> str:
    """The *complaint* of dtc without the words that each has."""
    return complaint.replace(UNPARSED, "").replace("Error: ", "").strip("; ")
