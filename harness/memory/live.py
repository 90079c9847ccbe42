# SPDX-License-Identifier: Apache-2.0
"""The RAM of a guest that runs: where QEMU has each block."""

import os
import re

from harness.errors import ProtocolError
from harness.memory.ram import LiveMemory, Segment
from harness.vm.guest import Guest
from harness.vm.layout import Block

HOST_ADDRESS = re.compile(r"Host virtual address for 0x[0-9a-f]+ \(.*\) is (0x[0-9a-f]+)")
"""The answer of HMP ``gpa2hva`` (monitor/misc.c:hmp_gpa2hva, 7.2)."""


def live_memory(guest: Guest) -> LiveMemory:
    """Return a view of *guest*'s RAM, which the caller closes; the guest may run or be paused.

    Raises QemuError when QEMU has died, ProtocolError when it does not say where RAM lies.
    """
    blocks = guest.machine.blocks
    files = [os.open(guest.memory_file(block), os.O_RDWR) for block in blocks if block.shared]
    try:
        fds = iter(files)
        segments = [
            Segment(block.base, block.size, fd=next(fds))
            if block.shared
            else Segment(block.base, block.size, host=_host_address(guest, block))
            for block in blocks
        ]
        return LiveMemory(guest.process.pid, segments)
    finally:
        for file in files:  # the mappings have their own reference
            os.close(file)


def _host_address(guest: Guest, block: Block) -> int:
    command = f"gpa2hva {block.base:#x}"
    answer = guest.monitor.hmp(command)
    found = HOST_ADDRESS.search(answer)
    if found is None:
        raise ProtocolError(
            f"QEMU should say where it has the RAM at {block.base:#x}, but answered "
            f"'{answer.strip()}' to the monitor command '{command}'"
        )
    return int(found[1], 16)
