# SPDX-License-Identifier: Apache-2.0
"""The plugin, compiled for this machine when it is first needed."""

from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.errors import HostError
from harness.base.tools import run_tool
from harness.machine.binary import Qemu

SOURCE = Path(__file__).with_name("watch.c")

COMPILER = "gcc"

FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-fPIC", "-shared")

NEWER_API = (9, 0)
"""From this version on QEMU wants plugins of API 2 at least (QEMU, include/qemu/qemu-plugin.h);
none of the functions that are used here has changed in between. Tried with 7.2 alone."""


def build_plugin(qemu: Qemu) -> Path:
    """The plugin for *qemu*, from the cache if it can.

    Raises HostError if that QEMU does not support plugins or the compiler is missing, ToolError
    if it does not compile.
    """
    if b"\n-plugin " not in run_tool([qemu.path, "-help"]):
        raise HostError(
            f"{qemu.path} was built without TCG plugins, through which double fetches are seen. "
            "Debian's qemu-system-arm has them; name another QEMU with --qemu=PATH, or build one "
            "with --enable-plugins"
        )
    api = 1 if qemu.version < NEWER_API else 2
    compiler = run_tool([COMPILER, "--version"])

    def fill(directory: Path) -> None:
        out = directory / "watch.so"
        run_tool([COMPILER, *FLAGS, f"-DPLUGIN_API={api}", "-o", out, SOURCE])

    key = digest(SOURCE, compiler, " ".join(FLAGS), str(api))
    return Cache("qemu-plugins").get(key, fill) / "watch.so"
