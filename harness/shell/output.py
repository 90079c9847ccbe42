# SPDX-License-Identifier: Apache-2.0
"""Show an answer: on the terminal, through a pager if it is longer, or through a pipe."""

import os
import shutil
import subprocess
import sys

from harness.shell.terminal import interrupts_for_the_program

PAGER = "less -FRX"
"""Used for long answers without ``$PAGER``, if it is installed."""


def show(text: str, pipe: str = "") -> None:
    """Write *text* to standard output, or to the shell command *pipe*."""
    if pipe:
        feed(pipe, text)
    elif text and _is_long(text) and (pager := _pager()):
        feed(pager, text)
    elif text:
        print(text)


def feed(command: str, text: str) -> None:
    """Run a shell command with *text* as its input; it may end before it has read all."""
    sys.stdout.flush()
    with interrupts_for_the_program():
        data = f"{text}\n".encode(errors="replace")
        subprocess.run(["sh", "-c", command], input=data, check=False)


def piped(command: str, text: str) -> str:
    """What a shell command writes, errors included, with *text* as its input."""
    data = f"{text}\n".encode(errors="replace")
    command_line = ["sh", "-c", f"exec 2>&1; {command}"]
    ran = subprocess.run(command_line, input=data, capture_output=True, check=False)
    return ran.stdout.decode(errors="replace").rstrip("\n")


def _is_long(text: str) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or is_dumb():
        return False
    return text.count("\n") + 1 >= shutil.get_terminal_size().lines


def _pager() -> str:
    chosen = os.environ.get("PAGER", "")
    return chosen or (PAGER if shutil.which("less") else "")


def is_dumb() -> bool:
    """Whether the terminal knows no escape sequences, by which pagers and screens move."""
    return os.environ.get("TERM", "") in ("", "dumb", "unknown")
