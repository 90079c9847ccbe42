# SPDX-License-Identifier: Apache-2.0
"""Journal of a rogue's accesses: a line each, in a file beside the guest's logs and in memory."""

from typing import Literal

from harness.machine.qemu.artifacts import ROGUE_LOG
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.journal import Act


def note(
    guest: Guest,
    device: str,
    access: Literal["read", "write"],
    address: int,
    size: int,
    *,
    refused: bool = False,
    data: bytes = b"",
) -> None:
    """Note an attempt of *device* on *size* bytes from guest-physical *address*.

    *data* is what it writes. *refused* is for rogues that know that it was; of others the fence's
    log has what was refused.
    """
    end = " refused" if refused else ""
    with (guest.directory / ROGUE_LOG).open("a") as log:
        log.write(f"{device} {access} {address:#x} {size}{end}\n")
    if access == "write":
        guest.agent.journal.record(Act("dma", device, address, data))
    guest.agent.journal.append(f"[{device} {access}s {size} bytes at {address:#x}{end}]")
