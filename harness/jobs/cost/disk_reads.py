# SPDX-License-Identifier: Apache-2.0
"""The kernel's instructions for a read of 4 KiB from a disk, end to end.

The disk holds each answer until the guest has nothing left to do. From one such moment to the next
the kernel takes the interrupt, ends the request and its mapping, wakes the program, which asks for
the next read, and maps and submits that: one read, without the program and without waiting.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from threading import Lock

from harness.base.errors import GuestHang
from harness.base.space import KIB
from harness.devices.drivers import DRIVERS, DiskWork, HeldDisk, plug, wait_usable
from harness.devices.shell import start
from harness.jobs.cost.cost import Cost, median_cost
from harness.jobs.cost.counted_guest import LOOK, TIMEOUT, CountedGuest
from harness.machine.machine import Machine
from harness.observe.memory import KnownTypes, live_memory
from harness.observe.quiet import Quiet

DISK = DRIVERS[0]
"""virtio-blk, which every kernel for the harness has."""

READ = 4 * KIB
READS, SKIPPED = 200, 4
"""Reads that are counted, and reads before them, after which caches of the kernel are full."""


def disk_reads(machine: Machine, kind: str, known: KnownTypes) -> Cost:
    """The cost of a read on *machine*; raises NoDebugInformation for a kernel without types."""
    with CountedGuest(machine) as counted:
        guest = counted.guest
        memory = live_memory(guest)
        guest.at_close(memory.close)
        types = known.on(machine.kernel, memory)
        disks: list[HeldDisk] = []

        def hold(file: Path) -> Mapping[str, object]:
            disks.append(HeldDisk(file, guest.directory / "disk.sock"))
            guest.at_close(disks[0].close)
            return disks[0].node

        work = plug(guest, DISK, DiskWork(guest, DISK.node, hold))
        wait_usable(guest, work.usable)
        (disk,) = disks
        disk.held = True
        count = READS + SKIPPED + 1
        start(
            guest,
            f"dd if=$(echo /dev/{DISK.node}) of=/dev/null bs={READ} count={count} iflag=direct",
        )
        seen = list(_counts(counted, Quiet(guest, types, Lock()), disk, count))
        disk.release()
    reads = [after - before for before, after in pairwise(seen)]
    return median_cost("read of a disk", READ, kind, reads[SKIPPED:])


def _counts(counted: CountedGuest, quiet: Quiet, disk: HeldDisk, count: int) -> Iterator[int]:
    """What was executed when the guest waited for each of *count* reads."""
    for number in range(count):
        patience = counted.guest.watch.patience(TIMEOUT)
        while not (quiet.wait(LOOK, lambda: disk.waiting) and disk.waiting):
            if patience.left() <= 0:
                raise GuestHang(
                    f"waited {TIMEOUT:g} s for read {number} of {count} of the disk, and for the "
                    "guest to have nothing left to do"
                )
        yield counted.executed
        disk.answer()
