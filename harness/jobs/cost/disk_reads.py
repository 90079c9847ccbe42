# SPDX-License-Identifier: Apache-2.0
"""What the kernel spends on a read of 4 KiB from a disk, end to end.

The disk holds each answer until the guest has nothing left to do. From one such moment to the next
the kernel takes the interrupt, ends the request and its mapping, wakes the program, which asks for
the next read, and maps and submits that: one read, without the program and without waiting.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from harness.base.space import KIB
from harness.devices.drivers import DRIVERS, DiskWork, HeldDisk, plug, wait_usable
from harness.devices.shell import start
from harness.jobs.cost.cost import Cost
from harness.jobs.cost.counted_guest import CountedGuest, Spent, median_spent
from harness.machine.machine import Machine
from harness.observe.memory import KnownTypes
from harness.observe.quiet import Quiet

DISK = DRIVERS[0]
"""virtio-blk, which every kernel for the harness has."""

READ = 4 * KIB
READS, SKIPPED = 200, 4
"""Reads that are counted, and reads before them, after which caches of the kernel are full."""


def disk_reads(machine: Machine, kind: str, known: KnownTypes) -> Cost:
    """The cost of a read on *machine*; raises NoDebugInformation for a kernel without types."""
    with CountedGuest(machine, copies=True) as counted:
        guest = counted.guest
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
        reads = list(_reads(counted, counted.quiet(known), disk, count))
        disk.release()
    return median_spent("read of a disk", READ, kind, reads[SKIPPED:])


def _reads(counted: CountedGuest, quiet: Quiet, disk: HeldDisk, count: int) -> Iterator[Spent]:
    """What the kernel spends from each of *count* reads to the next."""

    def wait(number: int) -> None:
        what = f"read {number} of {count} of the disk"
        counted.wait_quiet(quiet, lambda: disk.waiting, 1, what)

    def answer(number: int) -> None:
        disk.answer()
        wait(number)

    wait(0)
    for number in range(1, count):
        yield counted.during(partial(answer, number))
