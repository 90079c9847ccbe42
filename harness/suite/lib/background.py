# SPDX-License-Identifier: Apache-2.0
"""Commands in the background of the guest, and their exit status."""

from harness.devices.shell import shell
from harness.machine.qemu.guest import Guest

FIFO = "/tmp/ending"


def start(guest: Guest, command: str) -> None:
    """Start a shell command in the guest; FIFO has its exit status when it ends."""
    shell(guest, f"rm -f {FIFO}; mkfifo {FIFO}")
    shell(guest, f"({{ {command}; }}; echo $? > {FIFO}) > /dev/null 2>&1 &")


def ending(guest: Guest, timeout: float) -> int | None:
    """Wait *timeout* s for the command; returns its exit status, None if it still runs."""
    ran = guest.agent.run(f"cat {FIFO}", timeout)
    return None if ran.timed_out else int(ran.text)
