# SPDX-License-Identifier: Apache-2.0
"""Ask a QEMU whether it keeps memory tags: guest/bare/tags.S runs on it, once for each binary.

QEMU's version, its options and its CPU's registers do not tell. QEMU 7.2 has the CPU and starts
with ``mte=on``, but drops the offset in the page from the address of a tag (its commit
b8967ddf393, repaired in 8.0 by 28fb921f02ef): all even granules of a page share one tag, and all
odd ones another. A kernel with KASAN_HW_TAGS then reports its first allocation of the slab
allocator, and does not boot.
"""

import functools
import subprocess
import tempfile
from pathlib import Path

from harness.base.architecture import accelerator
from harness.base.cache import digest
from harness.base.tools import dies_with_us
from harness.machine.bare_program import ENTRY, bare_program
from harness.machine.binary import Qemu
from harness.machine.capabilities import CACHE

BOARD, MODEL = ",mte=on", "max,pauth-impdef=on"
"""The board's option for memory of tags, and the CPU: everything, with QEMU's own algorithm for
pointer authentication, which is the fast one."""

STORES_WRONG = "stores them wrong"

TIMEOUT = 60.0
"""Seconds for the program and the start of QEMU; measured: 0.2 on an idle host."""

_FILE = "memory-tags.txt"
_RIGHT, _WRONG = b"tags: right\n", b"tags: wrong\n"


@functools.cache
def tags_fault(qemu: Qemu) -> str:
    """Why *qemu* cannot be given memory tags, to follow its name; empty if it keeps them.

    Cached by the binary and the program. Raises BuildError when the program does not compile.
    """
    program = bare_program("tags")
    key = digest(qemu.key, str(qemu.path), program, Path(__file__))
    entry = CACHE.get(key, lambda directory: _write(directory, ask(qemu.path, program)))
    return (entry / _FILE).read_text()


def _write(directory: Path, fault: str) -> None:
    (directory / _FILE).write_text(fault)


def ask(path: Path, program: bytes, board: str = BOARD, timeout: float = TIMEOUT) -> str:
    """What tags_fault() returns, by running *program* on the QEMU *path*, *timeout* in seconds."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(program)
        file.flush()
        command = [
            *(str(path), "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-accel", accelerator(), "-machine", f"virt{board}", "-cpu", MODEL, "-m", "16M"),
            *("-device", f"loader,file={file.name},addr={ENTRY:#x},cpu-num=0,force-raw=on"),
            *("-serial", "stdio"),
        ]
        try:
            done = subprocess.run(
                dies_with_us(command),
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            return f"did not say in {timeout:g} s how it stores them"
    if done.stdout == _RIGHT:
        return ""
    if done.stdout == _WRONG:
        return STORES_WRONG
    said = (done.stderr or done.stdout).decode(errors="replace").strip().rpartition("\n")[2]
    return f"does not run with them: {said[-200:] or f'exit code {done.returncode}'}"
