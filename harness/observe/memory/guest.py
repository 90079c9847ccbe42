# SPDX-License-Identifier: Apache-2.0
"""Open the RAM of a running guest: the files that QEMU and the harness share."""

from harness.machine.qemu.guest import Guest
from harness.observe.memory.ram import LiveMemory, RamSegment


def live_memory(guest: Guest) -> LiveMemory:
    """Open the RAM of *guest*; close it when done. The guest continues to run."""
    return LiveMemory(
        [
            RamSegment(block.base, block.size, file)
            for block, file in zip(guest.ram.blocks, guest.ram.files, strict=True)
        ]
    )
