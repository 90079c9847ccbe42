# SPDX-License-Identifier: Apache-2.0
"""Expectations of a fence."""

from harness.machine.qemu.guest import Guest
from harness.suite.lib.expect.wording import violation_of


def fence_intact(guest: Guest) -> None:
    """The registers, tables and code of the fence are as they were set up."""
    damage = guest.fence_damage()
    if damage:
        raise violation_of("The guest changed its fence.", "an intact fence", "\n".join(damage))


def fence_held(guest: Guest, device: str = "") -> None:
    """The fence refused no access of *device* (default: of any device), and is intact."""
    refused = [one for one in guest.fence_refusals() if device in ("", one.device)]
    if refused:
        first = refused[0]
        summary = "A driver had its device access memory outside the pool."
        seen = f"{len(refused)}, first {first.access} of {first.address:#x} by {first.device}"
        raise violation_of(summary, "no refused access", seen)
    fence_intact(guest)
