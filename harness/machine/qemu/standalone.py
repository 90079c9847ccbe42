# SPDX-License-Identifier: Apache-2.0
"""Write the machine of a failure to a directory that boots without this project."""

import contextlib
import os
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.machine.machine import BLOB, CONSOLE_SOCKET, MONITOR_SOCKET, Machine
from harness.machine.qemu.fencing import write_flash

RUN, README, FENCE = "run.sh", "README.txt", "fence-registers.txt"
IMAGE, INITRD, VMLINUX, COMPLETED = "Image", "initrd", "vmlinux", "completed.dtb"

SCRIPT = """\
#!/bin/sh
# Boots the machine of this failure; README.txt says more.
cd "$(dirname "$0")" || exit 2
exec "${{QEMU:-qemu-system-aarch64}}" \\
    {arguments} \\
    "$@"
"""

TEXT = """\
The machine in which a test of restricted DMA failed, with Linux {release}; no harness is needed.

./run.sh        boots it: the guest's shell is on this terminal; Ctrl-a c: QEMU monitor,
                Ctrl-a x: quit. Made with {qemu}.
./run.sh -s -S  waits for gdb: gdb -ex 'target remote :1234' vmlinux
violation.txt   what failed, with the driver's calls (missing if no property was violated)
memory.elf      the guest's memory at the failure: drgn -c memory.elf -s vmlinux
console.log     console after the boot; boot.log: during the boot
machine.dts     the devicetree. Plug a rogue device: device_add edu,bus=rp0 in the monitor.
{fence}
"""

NO_FENCE = "The machine has no fence: nothing confines its devices."
BY_REGISTERS = (
    f"A fence: start with -S, write the registers in {FENCE} (address, bytes, value) through the "
    "QEMU test protocol on qtest.sock, then cont."
)
BY_ITSELF = "The fence {name} is part of the command."


def write_standalone(machine: Machine, directory: Path) -> None:
    """Add kernel, initrd, script and README to *directory*, which has the machine's devicetree.

    Files of the cache are hard links if the file system allows it.
    """
    _share(machine.kernel.image, directory / IMAGE)
    _share(machine.initramfs.path, directory / INITRD)
    with contextlib.suppress(OSError):  # hundreds of MB: link it, do not copy it
        os.link(machine.kernel.vmlinux, directory / VMLINUX)
    if machine.firmware is not None:
        (directory / COMPLETED).write_bytes(machine.blob)
    write_flash(machine, directory)
    script = directory / RUN
    script.write_text(SCRIPT.format(arguments=_lines(arguments(machine))))
    script.chmod(0o755)
    (directory / README).write_text(
        TEXT.format(
            release=machine.kernel.release,
            qemu=machine.qemu.banner,
            fence=_about_fence(machine, directory),
        )
    )


def arguments(machine: Machine) -> list[str]:
    """QEMU's arguments with all files in its working directory, the console on the terminal."""
    here = Path()
    renamed = {
        str(machine.kernel.image): IMAGE,
        str(machine.initramfs.path): INITRD,
        **({BLOB: COMPLETED} if machine.firmware is not None else {}),
    }
    words = list(_standing_alone(machine.command(here, own_ram=True)[1:]))
    for old, new in renamed.items():
        words = [word.replace(old, new) for word in words]
    return words


def _standing_alone(words: Sequence[str]) -> Iterator[str]:
    """*words* without sockets that need the harness, and without the log file of the failure."""
    rest = iter(words)
    for word in rest:
        if word == "-S":
            continue
        if word in ("-D", "-serial"):
            next(rest)
            yield from ("-serial", "mon:stdio") if word == "-serial" else ()
            continue
        if word in ("-chardev", "-qmp"):
            value = next(rest)
            if not any(one in value for one in (CONSOLE_SOCKET, MONITOR_SOCKET, ":monitor")):
                yield from (word, value)
            continue
        yield word


def _lines(words: Sequence[str]) -> str:
    """*words* quoted for a shell, one option with its values in each line."""
    starts = [index for index, word in enumerate(words) if word.startswith("-")]
    ends = [*starts[1:], len(words)]
    lines = [shlex.join(words[start:end]) for start, end in zip(starts, ends, strict=True)]
    return " \\\n    ".join(lines)


def _about_fence(machine: Machine, directory: Path) -> str:
    if machine.fence is None:
        return NO_FENCE
    if not machine.fence.setup:
        return BY_ITSELF.format(name=machine.fence.name)
    rows = [f"{one.address:#x} {one.width} {one.value:#x}\n" for one in machine.fence.setup]
    (directory / FENCE).write_text("".join(rows))
    return BY_REGISTERS


def _share(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
