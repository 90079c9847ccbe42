# SPDX-License-Identifier: Apache-2.0
"""Shell commands in the guest that must succeed."""

from harness.base.violation import violated
from harness.machine.qemu.guest import Guest

ENDED, SAID = "/tmp/ended", "/tmp/said"
"""In the guest: the exit status of a command in the background once it has ended, and its words."""

SAYS = "harness: a command has ended"
"""What the console says of it, so that a wait for the guest looks again."""

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


def start(guest: Guest, command: str) -> None:
    """Start a shell command in the background, one at a time; :func:`ended` says how it ends."""
    end = f"echo $? > {ENDED}; echo '{SAYS}' > /dev/kmsg"
    guest.agent.run(f"rm -f {ENDED}; {{ {{ {command}; }}; {end}; }} > {SAID} 2>&1 &")


def says_ended(guest: Guest) -> bool:
    """Whether a command of :func:`start` has ended, by the console; for a guest's only command."""
    return any(SAYS in line for line in guest.console.lines)


def ended(guest: Guest) -> tuple[int, str] | None:
    """The exit status and the last line of the command of :func:`start`; None while it runs."""
    status, _, said = guest.agent.run(f"cat {ENDED} && tail -n 1 {SAID}").text.partition("\n")
    return (int(status), said.strip()) if status.isdecimal() else None
