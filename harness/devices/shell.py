# SPDX-License-Identifier: Apache-2.0
"""Shell commands in the guest that must succeed."""

from harness.base.violation import violated
from harness.machine.qemu.guest import Guest

TIMEOUT = 60.0
"""Seconds for megabytes of transfers, or dozens of bindings; measured: 20 ms for one binding."""


def shell(guest: Guest, command: str, timeout: float = TIMEOUT) -> str:
    """Run a shell command in the guest and return its output; raise PropertyViolated if it fails.

    The programs are known to work, so the kernel or one of its drivers is at fault.
    """
    ran = guest.agent.run(command, timeout)
    if ran.status:
        raise violated(f"'{command}' ended with {ran.status} in the guest: {ran.text.strip()}")
    return ran.text
