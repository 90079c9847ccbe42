# SPDX-License-Identifier: Apache-2.0
"""External programs: which Debian package brings each, and how one is run."""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import HostError, ToolError

PACKAGES: Mapping[str, str] = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "apt-get": "apt",
    "bc": "bc",
    "bison": "bison",
    "ccache": "ccache",
    "cpio": "cpio",
    "dpkg-deb": "dpkg",
    "dtc": "device-tree-compiler",
    "fdtoverlay": "device-tree-compiler",
    "flex": "flex",
    "git": "git",
    "gcc": "gcc",
    "make": "make",
    "qemu-system-aarch64": "qemu-system-arm",
    "rsync": "rsync",
    "setpriv": "util-linux",
    "tar": "tar",
    "xz": "xz-utils",
}
"""The Debian package of every program that the harness runs."""

LIBRARIES: Mapping[str, str] = {
    "/usr/aarch64-linux-gnu/lib/libc.a": "libc6-dev-arm64-cross",
    "/usr/include/stdio.h": "libc6-dev",
}
"""The Debian package of every file that a build needs and that is not a program."""


def find_tool(name: str) -> Path:
    """Return the path of program *name*; raise HostError with the install command if absent."""
    found = shutil.which(name)
    if found is None:
        package = PACKAGES.get(name, name)
        raise HostError(
            f"the program '{name}' is not on this machine. "
            f"Install it with: sudo apt-get install {package}"
        )
    return Path(found)


def run_tool(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> bytes:
    """Run a short program to its end and return its standard output.

    *env* replaces the environment, *data* becomes standard input. Raises HostError when the
    program is missing and ToolError, with the command and the end of standard error, when it
    fails.
    """
    command = [str(find_tool(str(argv[0]))), *(str(word) for word in argv[1:])]
    done = subprocess.run(
        command,
        check=False,
        cwd=cwd,
        env=None if env is None else dict(env),
        input=data,
        capture_output=True,
    )
    if done.returncode != 0:
        complaint = (done.stderr or done.stdout).decode(errors="replace").strip()[-2000:]
        raise ToolError(f"'{' '.join(command)}' ended with {done.returncode}:\n{complaint}")
    return done.stdout
