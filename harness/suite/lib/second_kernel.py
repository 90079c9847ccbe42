# SPDX-License-Identifier: Apache-2.0
"""A kernel that starts another one: by kexec, or after a crash to save the memory (kdump).

It needs CONFIG_KEXEC_FILE; kdump also ``crashkernel=`` on the command line, which reserves RAM for
the second kernel, and CONFIG_PROC_VMCORE (Linux, Documentation/admin-guide/kdump/kdump.rst).
"""

import contextlib
from dataclasses import replace
from pathlib import Path

from harness.base.cache import digest
from harness.base.errors import GuestCrash
from harness.base.space import MIB
from harness.devices.shell import shell
from harness.kernel import Initramfs
from harness.kernel.build import cpio
from harness.kernel.build.initramfs import guest_program
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.suite.lib.file_disk import plug_file_disk

RESERVED = "crashkernel=64M"
"""Of the command line of a kernel that may crash."""

NO_LPIS = "irqchip.gicv3_nolpi=1"
"""Of the command line of a kernel that is to start another one. Without it the interrupt controller
keeps the first kernel's tables of message interrupts, and the second kernel clears that memory even
where its own code lies (drivers/irqchip/irq-gic-v3-its.c, its_setup_lpi_prop_table(), 6.12): only
UEFI tells it that the memory is in use."""

IMAGE, INITRD, KEXEC, SAVE = "next/Image", "next/initrd", "bin/kexec", "save"
LOADED = f"/{IMAGE} /{INITRD}"

SAVING = """\
set -e
/bin/busybox mount -t proc proc /proc
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
[ -b /dev/vda ]
dd if=/proc/vmcore of=/dev/vda bs=1M
sync
poweroff -f
"""
"""What the second kernel does after a crash; it panics where a step fails."""

COMMAND_LINE = f"earlycon console=ttyAMA0 panic=-1 rdinit=/bin/busybox -- sh /{SAVE}"

POWER_OFF = "guest-shutdown"
"""QEMU's reason for the end that the second kernel asks for (qapi/run-state.json)."""

TIMEOUT = 240.0
"""Seconds from a crash to the end of the second kernel; on an idle machine 2."""


def with_second_kernel(machine: Machine, place: Path) -> Machine:
    """The machine with its own kernel in its initial RAM file system again, made in *place*."""
    plain = machine.initramfs
    programs = plain.path.read_bytes()
    second = programs + cpio.pack([cpio.program(SAVE, SAVING.encode())])
    more = cpio.pack(
        [
            cpio.directory("next"),
            cpio.program(IMAGE, machine.kernel.image.read_bytes()),
            cpio.program(INITRD, second),
            cpio.program(KEXEC, guest_program("kexec")),
        ]
    )
    path = place / plain.path.name
    path.write_bytes(programs + more)
    path.with_name(plain.probe.name).symlink_to(plain.probe)
    return replace(machine, initramfs=Initramfs(path, digest(plain.key, more)))


def load_next(guest: Guest) -> None:
    """Load the second kernel, which will boot as the first one did."""
    shell(guest, f"/{KEXEC} -l {LOADED} '{guest.machine.kernel_arguments}'")


def start_next(guest: Guest) -> None:
    """Start the second kernel, and wait until its agent is there; raises as a boot does."""
    guest.console.write(f"/{KEXEC} -e\n".encode())
    guest.wait_ready()


def load_for_crash(guest: Guest, vmcore: Path) -> None:
    """Load the second kernel, which will save the first one's memory in the file *vmcore*."""
    plug_file_disk(guest, vmcore, guest.machine.ram_size + MIB)  # all of RAM and the ELF headers
    shell(guest, f"/{KEXEC} -p {LOADED} '{COMMAND_LINE}'")


def crash(guest: Guest) -> None:
    """Crash the guest and wait until the second kernel has saved its memory and powered off.

    Raises GuestCrash if the second kernel crashes too or cannot save, GuestHang if it does neither.
    """
    begin = guest.monitor.mark
    with contextlib.suppress(GuestCrash):
        guest.agent.run("echo c > /proc/sysrq-trigger")
    event = guest.monitor.wait_event(
        "SHUTDOWN", "GUEST_PANICKED", timeout=TIMEOUT, since=begin, outlive=True
    )
    if event.get("data", {}).get("reason") != POWER_OFF:
        raise GuestCrash(
            "the second kernel did not save the first one's memory; last console line: "
            f"{guest.console.last_line()}"
        )
