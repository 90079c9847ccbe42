# SPDX-License-Identifier: Apache-2.0
"""A plugin, compiled for this machine when it is first needed."""

import re
import subprocess
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.errors import HostError
from harness.base.tools import dies_with_us, run_tool
from harness.machine.binary import Qemu
from harness.machine.capabilities import NO_GUEST, PLUGINS, TIMEOUT

API = Path(__file__).with_name("api.h")
ASKING = Path(__file__).with_name("oldest_api.c")

COMPILER = "gcc"

FLAGS = ("-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-fPIC", "-shared")
INCLUDE = f"-I{API.parent}"

FIRST_API = 1
"""QEMU 7.2's; what is declared of it in api.h holds in later ones, but for PLUGIN_API >= 7."""

_OLDEST = re.compile(r"minimum version of (\d+)")


def build_plugin(qemu: Qemu, source: Path) -> Path:
    """The plugin of *source* for *qemu*, from the cache if it can.

    Raises HostError if that QEMU does not support plugins or the compiler is missing, ToolError
    if it does not compile.
    """
    if qemu.capabilities.lacking([PLUGINS]):
        raise HostError(
            f"{qemu.path} was built without TCG plugins, through which the guest's code is seen. "
            "Debian's qemu-system-arm has them; name another QEMU with --qemu=PATH, or build one "
            "with --enable-plugins"
        )
    api = max(FIRST_API, oldest_api(qemu))
    return _compiled(source, f"-DPLUGIN_API={api}")


def oldest_api(qemu: Qemu) -> int:
    """The oldest version of the plugin API that *qemu* takes; raises HostError if it is unclear."""
    asking = _compiled(ASKING)
    command = [*NO_GUEST, "-plugin", str(asking).replace(",", ",,")]
    try:
        done = subprocess.run(
            dies_with_us([str(qemu.path), *command]),
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
        )
        said = done.stdout + done.stderr
    except subprocess.TimeoutExpired:
        said = f"nothing in {TIMEOUT:g} s"
    found = _OLDEST.search(said)
    if found is None:
        raise HostError(f"{qemu.path} did not say which plugins it takes; it said: {said.strip()}")
    return int(found[1])


def _compiled(source: Path, *defines: str) -> Path:
    compiler = run_tool([COMPILER, "--version"])
    name = f"{source.stem}.so"

    def fill(directory: Path) -> None:
        run_tool([COMPILER, *FLAGS, INCLUDE, *defines, "-o", directory / name, source])

    key = digest(source, API, compiler, " ".join((*FLAGS, *defines)))
    return Cache("qemu-plugins").get(key, fill) / name
