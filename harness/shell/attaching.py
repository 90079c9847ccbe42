# SPDX-License-Identifier: Apache-2.0
"""Attach to a machine of a session from another program or terminal."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from harness.base.architecture import NATIVE
from harness.base.errors import GuestError, HarnessError, HostError, InputError
from harness.base.tools import how_to_install
from harness.machine.qemu.gdbstub import open_gdb_server
from harness.observe.memory import LiveMemory, RamSegment
from harness.shell import shared_console
from harness.shell.shared_console import SharedConsole
from harness.shell.target import Target

GDB, GDB_PACKAGE = "gdb-multiarch", "gdb-multiarch"
"""Debian's gdb for guests of another architecture than the host."""

RAM = "ram-"
"""The start of the names of links to RAM in a run directory (Machine.memory_files)."""

GDB_COMMANDS = "attach.gdb"
"""In the run directory: what gdb does first."""

LEAVE_STANDING = ("define hook-quit", "disconnect", "end")
"""gdb detaches when it quits, and QEMU then plays a recording to its end."""

GDB_SCRIPTS = "vmlinux-gdb.py"
"""The kernel's own gdb commands, where it was built with CONFIG_GDB_SCRIPTS."""


def gdb_command(target: Target) -> list[str]:
    """The command that starts gdb on the target's machine, by a file in its run directory.

    Raises HostError if this machine has no gdb.
    """
    program = _gdb()
    socket = open_gdb_server(target.guest)
    slide = target.types.image.slide
    scripts = target.vmlinux.with_name(GDB_SCRIPTS)
    lines = [
        "set pagination off",
        "set confirm off",
        f"file {target.vmlinux}",
        *([f"symbol-file -o {slide:#x} {target.vmlinux}"] if slide else []),
        *_module_lines(target),
        f"target remote {socket}",
        *([f"source {scripts}"] if scripts.exists() else []),
        *(LEAVE_STANDING if target.guest.machine.recorded else ()),
    ]
    file = target.guest.directory / GDB_COMMANDS
    file.write_text("\n".join(lines) + "\n")
    return [program, "-q", "-x", str(file)]


def _gdb() -> str:
    names = (GDB, "gdb") if NATIVE else (GDB,)
    for name in names:
        if shutil.which(name):
            return str(name)
    raise HostError(f"program not found: '{GDB}'. Install it with: {how_to_install(GDB_PACKAGE)}")


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
    target.part(SharedConsole, lambda: SharedConsole(guest))
    qmp = [sys.executable, "-m", "qemu.qmp.qmp_shell", str(guest.person_socket)]
    memory = ["harness", "shell", f"--attach={guest.process.pid}", f"--vmlinux={target.vmlinux}"]
    return {
        "attach QMP": shlex.join(qmp),
        "attach memory": shlex.join(memory),
        "attach drgn": shlex.join([*memory, "--command=drgn"]),
        "attach console": shlex.join([*memory, "--command=console"]),
        "attach gdb": _gdb_or_why_not(target),
    }


def _gdb_or_why_not(target: Target) -> str:
    try:
        return shlex.join(gdb_command(target))
    except (HarnessError, GuestError) as fault:
        return f"not possible: {fault}"


def attached_target(pid: int, vmlinux: Path) -> Target:
    """The memory and the console of QEMU process *pid*, which another session has started.

    Raises InputError if that is no QEMU of the harness.
    """
    links = _links(pid)
    target = Target(None, _memory(pid, links), vmlinux, f"the memory of process {pid}")
    target.shared_console = links[0].parent / shared_console.SOCKET
    return target


def _links(pid: int) -> list[Path]:
    """The links to the RAM of QEMU process *pid*, in its run directory."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError as fault:
        raise _cannot_attach(pid, fault) from fault
    paths = (Path(word.rpartition("mem-path=")[2].partition(",")[0]) for word in words)
    links = [path for path in paths if path.name.startswith(RAM)]
    if not links:
        raise InputError(f"process {pid} is no QEMU of the harness: 'info' in a session shows one")
    return links


def _memory(pid: int, links: list[Path]) -> LiveMemory:
    """RAM by the files that the process has open."""
    files = Path(f"/proc/{pid}/fd")
    segments = []
    try:
        for link in links:
            handle = os.open(files / link.readlink().name, os.O_RDWR | os.O_CLOEXEC)
            base = int(link.name.removeprefix(RAM), 16)
            segments.append(RamSegment(base, os.fstat(handle).st_size, handle))
    except (OSError, ValueError) as fault:
        raise _cannot_attach(pid, fault) from fault
    memory = LiveMemory(segments)
    for segment in segments:
        os.close(segment.fd)
    return memory


def _cannot_attach(pid: int, fault: Exception) -> InputError:
    return InputError(
        f"cannot attach to process {pid}: {fault}. Expected the QEMU process of a session; "
        "'info' there shows it"
    )
