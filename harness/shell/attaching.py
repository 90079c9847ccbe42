# SPDX-License-Identifier: Apache-2.0
"""Attach to a machine of a session from another program or terminal."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from harness.base.architecture import NATIVE
from harness.base.errors import HostError, InputError
from harness.base.tools import how_to_install
from harness.machine.qemu.gdbstub import open_gdb_server
from harness.observe.memory import LiveMemory, RamSegment
from harness.shell.target import Target

GDB, GDB_PACKAGE = "gdb-multiarch", "gdb-multiarch"
"""Debian's gdb for guests of another architecture than the host."""

RAM = "ram-"
"""The start of the names of links to RAM in a run directory (Machine.memory_files)."""

GDB_SCRIPTS = "vmlinux-gdb.py"
"""The kernel's own gdb commands, where it was built with CONFIG_GDB_SCRIPTS."""


def gdb_command(target: Target) -> list[str]:
    """The command that starts gdb on the target's machine.

    Raises HostError if this machine has no gdb; the message has the rest of the command.
    """
    socket = open_gdb_server(target.guest)
    slide = target.types.image.slide
    lines = [
        "set pagination off",
        "set confirm off",
        f"file {target.vmlinux}",
        *([f"symbol-file -o {slide:#x} {target.vmlinux}"] if slide else []),
        *_module_lines(target),
        f"target remote {socket}",
    ]
    scripts = target.vmlinux.with_name(GDB_SCRIPTS)
    if scripts.exists():
        lines.append(f"source {scripts}")
    words = ["-q", *(word for line in lines for word in ("-ex", line))]
    return [_gdb(words), *words]


def _gdb(words: list[str]) -> str:
    names = (GDB, "gdb") if NATIVE else (GDB,)
    for name in names:
        if shutil.which(name):
            return str(name)
    raise HostError(
        f"program not found: '{GDB}'. Install it with: {how_to_install(GDB_PACKAGE)}. "
        f"It would be started as: {shlex.join([GDB, *words])}"
    )


def _module_lines(target: Target) -> list[str]:
    """gdb's commands for the symbols of the probe's module at its load address."""
    lines = []
    for module in target.program.modules():
        sections = dict(getattr(module, "section_addresses", {}))
        if module.name != "probe" or ".text" not in sections:
            continue
        text = sections.pop(".text")
        others = " ".join(f"-s {name} {address:#x}" for name, address in sections.items())
        lines.append(
            f"add-symbol-file {target.guest.machine.initramfs.probe} {text:#x} {others}".rstrip()
        )
    return lines


def attach_commands(target: Target) -> dict[str, object]:
    """Commands for another terminal, by what they attach."""
    guest = target.guest
    qmp = [sys.executable, "-m", "qemu.qmp.qmp_shell", str(guest.person_socket)]
    words = ["shell", "--attach", str(guest.process.pid), "--vmlinux", str(target.vmlinux)]
    return {
        "attach QMP": shlex.join(qmp),
        "attach memory": shlex.join(["harness", *words]),
        "attach gdb": "'gdb --print' prints the command",
    }


def running_memory(pid: int) -> LiveMemory:
    """The RAM of the QEMU process *pid*, which another session has started.

    Raises InputError if that is no QEMU of the harness.
    """
    files = Path(f"/proc/{pid}/fd")
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        paths = [Path(word.rpartition("mem-path=")[2].partition(",")[0]) for word in words]
        links = [path for path in paths if path.name.startswith(RAM)]
        segments = []
        for link in links:
            handle = os.open(files / link.readlink().name, os.O_RDWR | os.O_CLOEXEC)
            base = int(link.name.removeprefix(RAM), 16)
            segments.append(RamSegment(base, os.fstat(handle).st_size, handle))
    except (OSError, ValueError) as fault:
        raise InputError(
            f"cannot attach to process {pid}: {fault}. Expected the QEMU process of a session; "
            "'info' there shows it"
        ) from fault
    if not segments:
        raise InputError(f"process {pid} is no QEMU of the harness: 'info' in a session shows one")
    memory = LiveMemory(segments)
    for segment in segments:
        os.close(segment.fd)
    return memory


def attached_target(pid: int, vmlinux: Path) -> Target:
    """The memory of the guest of QEMU process *pid*; raises as :func:`running_memory`."""
    return Target(None, running_memory(pid), vmlinux, f"the memory of process {pid}")
