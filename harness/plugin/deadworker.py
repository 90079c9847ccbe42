# SPDX-License-Identifier: Apache-2.0
"""Why a worker of pytest-xdist died."""

import signal
import subprocess
from pathlib import Path
from typing import Any

VMSTAT = Path("/proc/vmstat")

PATIENCE = 5.0
"""Seconds to wait for the end of a process whose pipe is closed."""


def memory_kills() -> int:
    """Number of processes that this machine's kernel killed for lack of memory."""
    try:
        lines = VMSTAT.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


def reason_of_death(node: Any, kills_before: int) -> str:
    """Say how the process behind the *node* of pytest-xdist ended.

    *kills_before* is what :func:`memory_kills` said before it started.
    """
    code = _exit_code(node)
    if code is None:
        end = "is gone"
    elif code < 0:
        end = f"was killed by {signal.Signals(-code).name}"
    else:
        end = f"ended with exit code {code}, as after the time-out of a test"
    memory = memory_kills() > kills_before and code in (None, -signal.SIGKILL)
    return f"the process that ran the test {end}{': out of memory' if memory else ''}"


def _exit_code(node: Any) -> int | None:
    """The exit code of the worker, negative for a signal; None if unknown."""
    try:
        code: int = node.gateway._io.popen.wait(PATIENCE)
    except (AttributeError, subprocess.TimeoutExpired):
        return None  # a worker on another machine
    return code
