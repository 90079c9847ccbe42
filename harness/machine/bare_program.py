# SPDX-License-Identifier: Apache-2.0
"""Build programs of guest/ that run on a machine without a kernel."""

import shutil
import tempfile
from pathlib import Path

from harness.base.architecture import CROSS
from harness.base.cache import Cache, digest
from harness.base.errors import BuildError, ToolError
from harness.base.paths import CHECKOUT
from harness.base.progress import step
from harness.base.tools import run_tool
from harness.kernel.build.compiler import DEFAULT

GUEST, BARE = CHECKOUT / "guest", "bare"
BINARY = "program.bin"

ENTRY = 0x4020_0000
"""Where the programs of guest/bare are linked to, and begin (guest/bare/Makefile)."""


def bare_program(name: str, folder: str = BARE) -> bytes:
    """The program *name* of guest/*folder*, compiled; cached by content.

    Raises BuildError when it does not compile.
    """
    sources = sorted(file for file in (GUEST / folder).iterdir() if file.is_file())
    names = " ".join(file.name for file in sources)

    def build(directory: Path) -> None:
        with step(f"guest/{folder}: {name}"), tempfile.TemporaryDirectory() as out:
            binary = Path(out) / f"{name}.bin"
            try:
                run_tool(
                    ("make", "-C", GUEST / folder, f"CROSS_COMPILE={CROSS}", f"OUT={out}", binary)
                )
            except ToolError as fault:
                raise BuildError(f"guest/{folder} does not compile: {fault}") from fault
            shutil.copy2(binary, directory / BINARY)

    entry = Cache("firmware").get(digest(name, DEFAULT.banner, names, *sources), build)
    return (entry / BINARY).read_bytes()
