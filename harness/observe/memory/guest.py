# SPDX-License-Identifier: Apache-2.0
"""Open the RAM of a running guest: map its shared blocks, read the rest from QEMU's process."""

import os
import re

from harness.base.errors import ProtocolError
from harness.machine.layout import RamBlock
from harness.machine.qemu.guest import Guest
from harness.observe.memory.ram import LiveMemory, RamSegment


def live_memory(guest: Guest) -> LiveMemory:
    """Open the RAM of *guest*; close it when done. The guest continues to run."""
    segments = [_segment(guest, block) for block in guest.machine.blocks]
    try:
        return LiveMemory(guest.process.pid, segments)
    finally:
        for segment in segments:
            if segment.fd is not None:
                os.close(segment.fd)


def _segment(guest: Guest, block: RamBlock) -> RamSegment:
    if block.shared:
        fd = os.open(guest.memory_file(block), os.O_RDWR | os.O_CLOEXEC)
        return RamSegment(block.base, block.size, host=None, fd=fd)
    return RamSegment(block.base, block.size, host=_host_address(guest, block.base), fd=None)


def _host_address(guest: Guest, phys: int) -> int:
    """A guest-physical address in QEMU's process (QEMU, monitor/misc.c:hmp_gpa2hva)."""
    answer = guest.monitor.hmp(f"gpa2hva {phys:#x}")
    found = re.search(r" is (0x[0-9a-f]+)", answer)
    if found is None:
        raise ProtocolError(f"QEMU did not translate {phys:#x}: {answer.strip()!r}")
    return int(found[1], 16)
