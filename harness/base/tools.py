# SPDX-License-Identifier: Apache-2.0
"""Find and run external programs, and name their Debian packages."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.base.architecture import NATIVE
from harness.base.errors import HostError, ToolError

PACKAGE_LIST = Path(__file__).resolve().parents[2] / "scripts" / "packages.txt"
"""Programs and files with their Debian packages, one per line; scripts/setup reads it too."""

CROSS_LIST = PACKAGE_LIST.with_name("packages-cross.txt")
"""The same for hosts other than arm64."""


def _read_packages() -> dict[str, str]:
    lists = [PACKAGE_LIST] if NATIVE else [PACKAGE_LIST, CROSS_LIST]
    words = (line.split() for file in lists for line in file.read_text().splitlines())
    return {line[0]: line[1] for line in words if line and line[0] != "#"}


PACKAGES: Mapping[str, str] = _read_packages()
"""The Debian package of every program, by name, and of every other file, by path."""


APT = ("apt", "dpkg")
"""Packages not needed if kernel and busybox are given (docs/kernels.md)."""


def is_present(needed: str) -> bool:
    """Whether this machine has the program, or the file if *needed* begins with ``/``."""
    return Path(needed).exists() if needed.startswith("/") else shutil.which(needed) is not None


def has_apt() -> bool:
    """Whether packages of Debian can be installed here."""
    return shutil.which("apt-get") is not None


def how_to_install(package: str) -> str:
    """The command that installs a Debian *package*, or what to do on a system without apt."""
    if has_apt():
        return f"sudo apt-get install {package}"
    return f"install the package of this system that has what Debian's {package} has"


def find_tool(name: str) -> Path:
    """Return the path of program *name*; raise HostError with the install command if absent."""
    found = shutil.which(name)
    if found is not None:
        return Path(found)
    if name in PACKAGES and has_apt():
        remedy = f"Install it with: {how_to_install(PACKAGES[name])}"
    elif name in PACKAGES:
        remedy = f"To get it, {how_to_install(PACKAGES[name])}"
    else:
        remedy = "Check the name; a path must name an executable file"
    raise HostError(f"program not found: '{name}'. {remedy}")


def run_tool(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    data: bytes | None = None,
    deadline: float | None = None,
) -> bytes:
    """Run a short program to its end and return its standard output.

    *env* replaces the environment, *data* becomes standard input. Raises HostError when the
    program is missing and ToolError, with the command and the end of standard error, when it
    fails or has not ended after *deadline* seconds.
    """
    command = [str(find_tool(str(argv[0]))), *(str(word) for word in argv[1:])]
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=cwd,
            env=None if env is None else dict(env),
            input=data,
            capture_output=True,
            timeout=deadline,
        )
    except subprocess.TimeoutExpired as fault:
        late = f"no answer in {deadline:g} s"
        raise ToolError(f"'{' '.join(command)}' gave {late} and was killed", late) from fault
    if done.returncode != 0:
        complaint = (done.stderr or done.stdout).decode(errors="replace").strip()[-2000:]
        raise ToolError(
            f"'{' '.join(command)}' failed with exit code {done.returncode}:\n{complaint}",
            complaint,
        )
    return done.stdout


def dies_with_us(command: Sequence[str], signal: str = "KILL") -> list[str]:
    """Return *command* as one to which the kernel sends *signal* when the calling thread ends.

    setpriv asks the kernel for it (prctl(2), PR_SET_PDEATHSIG). A caller that died before that is
    not its parent any more, so the shell then does not start *command*.
    """
    start = f'[ "$PPID" = {os.getpid()} ] && exec "$@"'
    guard = (str(find_tool("setpriv")), "--pdeathsig", signal, "--", "/bin/sh", "-c", start, "sh")
    return [*guard, *command]
