# SPDX-License-Identifier: Apache-2.0
"""Run a program where a directory is a file system of a few MiB."""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@cache
def can_mount() -> bool:
    """Whether this user may mount in a namespace of its own."""
    command = [*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and not subprocess.run(command, check=False, capture_output=True).returncode
    )


def on_small_disk(
    size: str, place: Path, command: Sequence[str | Path], env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run *command* with a tmpfs of *size* (``8M``) mounted on *place*, for it alone."""
    script = 'mount -t tmpfs -o "size=$1" tmpfs "$2" && shift 2 && exec "$@"'
    words = [*NAMESPACE, "sh", "-c", script, "sh", size, place, *command]
    return subprocess.run(words, check=False, capture_output=True, text=True, env=env, timeout=300)


def python_on_small_disk(
    size: str, place: Path, script: str, env: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a Python *script* as :func:`on_small_disk` does."""
    return on_small_disk(size, place, [sys.executable, "-c", script], env)
