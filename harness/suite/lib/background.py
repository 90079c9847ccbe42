# SPDX-License-Identifier: Apache-2.0
"""Commands in the background of the guest, and how they end."""

from harness.devices.shell import shell
from harness.machine.qemu.guest import Guest

FIFO = "/tmp/ending"


def start(guest: Guest, command: str) -> None:
    """Start a shell command of the guest's; a FIFO has its exit status when it is over."""
    shell(guest, f"rm -f {FIFO}; mkfifo {FIFO}")
    shell(guest, f"({{ {command}; }}; echo $? > {FIFO}) > /dev/null 2>&1 &")


def ending(guest: Guest, timeout: float) -> int | None:
    """The exit status of the command that was started; None if it has none after *timeout* s."""
    ran = guest.agent.run(f"cat {FIFO}", timeout)
    return None if ran.timed_out else int(ran.text)
