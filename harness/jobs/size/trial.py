# SPDX-License-Identifier: Apache-2.0
"""One trial: a guest with a pool of one size, one driver, and a workload that ends or does not.

A disk holds its answers until the guest has nothing left to do (harness/observe/quiet.py): it
stands for a device that is slower than the CPU. So the driver asks at once for all that it can ask
for, the pool is read while nothing changes, and the numbers do not depend on how fast the emulator
is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from harness.base.errors import GuestCrash, GuestError, GuestHang, InputError
from harness.devices.drivers import (
    ENDPOINT,
    DiskWork,
    Driver,
    EntropyWork,
    HeldDisk,
    NetworkWork,
    Work,
    plug,
)
from harness.devices.shell import ended, says_ended, start
from harness.jobs.check.answers import DmaCall
from harness.jobs.check.origin import recorded_calls, start_trace
from harness.jobs.size.answers import Ending, Holder, Trial
from harness.jobs.size.pool_watch import PoolWatch, holders_of, largest_mapping
from harness.jobs.size.refusal import RefusalStop
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import boot
from harness.observe.memory import KernelTypes, KnownTypes, live_memory, restricted_pools
from harness.observe.quiet import Quiet

BINDING = 20.0
"""Seconds of the guest's own time for a driver to make its device usable."""

STUCK = 10.0
"""Seconds of the guest's own time in which the device does nothing and the workload does not end,
after which it counts as one that never ends. virtio-blk retries after 3 ms."""

SCSI_STUCK, SCSI_DISK = 40.0, "BLK_DEV_SD"
"""The same for a disk whose driver needs that option: a command that has not ended in 30 s is given
up and tried again (drivers/scsi/sd.h, SD_TIMEOUT)."""

CALM = 5.0
"""Seconds of the guest's own time in which it comes to rest once the workload has ended."""

SENT_AGAIN, CONNECTED_AGAIN = 5, 2
"""How often TCP sends a segment again, and the first of a connection, before it gives up: a network
card that loses frames forever makes its workload fail, and the clock says nothing of it. (Linux,
Documentation/networking/ip-sysctl.rst; a full pool loses a burst at most.)"""

TCP = "/proc/sys/net/ipv4/tcp"
GIVES_UP = f"echo {SENT_AGAIN} > {TCP}_retries2; echo {CONNECTED_AGAIN} > {TCP}_syn_retries; "

AT_ONCE = ("sdhci",)
"""Devices for which QEMU stops the whole machine until their disk has answered (hw/sd/sd.c,
blk_pread()), so that their answers cannot be held."""

FULL = "swiotlb buffer is full"
REFUSED = re.compile(rf"{re.escape(ENDPOINT)}: {FULL}")
PROBE_FAILED = re.compile(r"probe .*failed with error")
FAILED = re.compile(r"I/O error|critical \w+ error")
"""What kernels say of drivers and of requests that fail (drivers/base/dd.c, block/blk-core.c)."""

TIMES = 3
"""How often a workload is done in a trial: whether the largest mappings find room depends on where
earlier ones left off, and on which pages the workload's own memory has."""

LAST_LINES = 3
"""The kernel's lines that a trial keeps."""

WORKLOADS: Mapping[object, str] = {
    DiskWork: "dd if=$NODE of=/dev/null bs=1M count=8 iflag=direct && "
    "dd if=/dev/zero of=$NODE bs=1M count=8 oflag=direct",
    EntropyWork: "dd if=$NODE of=/dev/null bs=512 count=16 iflag=fullblock",
    NetworkWork: "8 MiB each way over TCP",
}
"""What the drivers are made to do; for a network card see its work."""


@dataclass(frozen=True)
class Job:
    """*driver* on *machine* with *workload*, a command for the guest's shell; empty: its own."""

    machine: Machine
    driver: Driver
    workload: str = ""

    @property
    def size(self) -> int:
        """Bytes of the pool."""
        (pool,) = self.machine.devicetree.pools
        return pool.size

    @property
    def stuck(self) -> float:
        """Seconds without anything done after which the workload never ends."""
        scsi = any(part.option == SCSI_DISK for part in self.driver.parts)
        return SCSI_STUCK if scsi else STUCK

    def command(self, work: Work) -> str:
        """The workload for the guest's shell, where NODE is the device's file or network card."""
        network = self.driver.work is NetworkWork
        name = f"$(cd {'/sys/class/net' if network else '/dev'} && echo {self.driver.node})"
        node = name if network else f"/dev/{name}"
        default = work.attempt if network else WORKLOADS[self.driver.work]
        once = f"({self.workload or default}) || exit 1"
        times = " ".join(map(str, range(TIMES)))
        first = GIVES_UP if network else ""
        return f"({first}NODE={node}; for time in {times}; do {once}; done)"


def try_pool(job: Job, known: KnownTypes) -> Trial:
    """Boot the machine, plug the device, run the workload; raises what :func:`boot` does.

    Raises InputError if the kernel did not make a pool.
    """
    with boot(job.machine) as guest:
        memory = live_memory(guest)
        guest.at_close(memory.close)
        run = _Run(job, guest, known.on(job.machine.kernel, memory))
        try:
            outcome, detail = run.outcome()
        except GuestError as fault:
            crashed = isinstance(fault, GuestCrash)
            outcome = Ending.CRASHES if crashed else Ending.NEVER_ENDS
            detail = str(fault)
        if refused := guest.fence_refusals():
            outcome, detail = Ending.OUTSIDE, f"{refused[0].access} {refused[0].address:#x}"
        return run.trial(outcome, detail)


class _Run:
    """A trial while it runs."""

    def __init__(self, job: Job, guest: Guest, types: KernelTypes) -> None:
        pools = restricted_pools(types)
        if len(pools) != 1:
            raise InputError(
                f"the kernel made {len(pools)} restricted pools of the one in the devicetree, so "
                "there is nothing to measure. 'harness check' says what it did with it"
            )
        self._job, self._guest, self._types = job, guest, types
        self._reading = Lock()
        self._pool = PoolWatch(types, pools[0], self._reading)
        self._quiet = Quiet(guest, types, self._reading)
        self._timed = job.driver.work is NetworkWork  # its frames in flight are a matter of time
        self._disk: HeldDisk | None = None
        self._holds = job.driver.work is DiskWork and job.driver.name not in AT_ONCE
        self._waits = 0
        self._bound = 0
        self._calls: tuple[DmaCall, ...] = ()
        self._at_peak: tuple[DmaCall, ...] = ()
        self._holders: tuple[Holder, ...] = ()
        self._mapped = 0

    def outcome(self) -> tuple[Ending, str]:
        """Plug, bind, work: how that ends."""
        guest = self._guest
        start_trace(guest)
        work = plug(guest, self._job.driver, self._work())
        refused = self._pool.sample_refusal
        stop = RefusalStop(guest, self._types, self._reading, refused, self._disk)
        try:
            if reason := self._unusable(work):
                return Ending.UNBOUND, reason
            if isinstance(work, NetworkWork):
                guest.agent.run(work.up)
            self._calm()
            self._bound = self._pool.sample()
            self._calls = self._recorded()
            if self._disk is not None:
                self._disk.held = True
            start(guest, self._job.command(work))
            end = self._end(work.done)
            if not self._timed:
                self._pool.sample()
            self._find_holders()
        finally:
            self._release()
            stop.close()
        return self._at_rest(*self._judge(end))

    def trial(self, outcome: Ending, detail: str) -> Trial:
        """What was seen of a trial that ended so."""
        lines = self._guest.console.lines
        said = [_unstamped(line) for line in lines if FULL in line or FAILED.search(line)]
        idle = outcome in (Ending.WORKS, Ending.FAILS)
        high = self._pool.agreed() if idle else self._pool.high_water()
        disk = self._disk
        return Trial(
            size=self._job.size,
            outcome=outcome,
            detail=detail,
            bound=self._bound,
            peak=self._pool.peak if self._timed else max(high or 0, self._pool.peak),
            exact=high is not None and not self._timed,
            counted=high,
            largest=max(self._pool.largest, self._mapped),
            refused=self._pool.refused is not None or any(map(REFUSED.search, lines)),
            waits=self._waits if disk else None,
            moved=disk.moved if disk else 0,
            holders=self._holders,
            said=tuple(said[:LAST_LINES]),
        )

    def _judge(self, end: tuple[int, str] | None) -> tuple[Ending, str]:
        if end is None:
            return (
                Ending.NEVER_ENDS,
                f"nothing done by the device, and no end, in {self._job.stuck:g} s",
            )
        status, said = end
        if status:
            return Ending.FAILS, f"it ended with status {status}: {said}"
        console = self._guest.console
        if failed := next(filter(FAILED.search, console.lines), ""):
            return Ending.FAILS, _unstamped(failed)
        if console.reports:
            return Ending.FAILS, f"the kernel reported: {console.reports[0].title}"
        return Ending.WORKS, ""

    def _at_rest(self, outcome: Ending, detail: str) -> tuple[Ending, str]:
        """The outcome, if the guest has nothing to do any more once the workload has ended."""
        if outcome is Ending.NEVER_ENDS or self._guest.fence_refusals() or self._calm():
            return outcome, detail
        busy = f"the kernel is still busy {CALM:g} s after the workload"
        return Ending.NEVER_RESTS, f"{busy}; {detail}" if detail else busy

    def _find_holders(self) -> None:
        """Who held the slots at the first refusal, or at the peak."""
        if self._guest.ending:
            return
        last = self._recorded()
        at_peak = self._pool.refused is None and self._at_peak
        late = at_peak or last
        runs = self._pool.refused or self._pool.runs
        self._holders = holders_of(runs, (*self._calls, *late))
        self._mapped = largest_mapping((*self._calls, *self._at_peak, *last))

    def _recorded(self) -> tuple[DmaCall, ...]:
        """The newest calls, up to 1 MB of them; none from a host that is too slow to pass it on."""
        try:
            return recorded_calls(self._guest)
        except GuestHang:
            return ()

    def _release(self) -> None:
        if self._disk is not None:
            self._disk.release()

    def _work(self) -> Work | None:
        """The work of a disk that is held; None for the driver's own."""
        if not self._holds:
            return None
        return DiskWork(self._guest, self._job.driver.node, self._hold)

    def _hold(self, file: Path) -> Mapping[str, object]:
        asked = self._guest.watch.notify
        self._disk = HeldDisk(file, self._guest.directory / "disk.sock", asked)
        self._guest.at_close(self._disk.close)
        return self._disk.node

    def _unusable(self, work: Work) -> str:
        """Why the driver did not make the device usable; empty if it did."""
        guest = self._guest

        def look() -> str | None:
            if guest.agent.run(work.usable).status == 0:
                return ""
            failed = next(filter(PROBE_FAILED.search, guest.console.lines), None)
            return _unstamped(failed) if failed else None

        try:
            return guest.watch.wait(f"{work.usable!r}", look, BINDING, guest.console.last_line)
        except GuestHang:
            return f"its driver did not make it usable in {BINDING:g} s"

    def _end(self, done: str) -> tuple[int, str] | None:
        """Serve the workload to its end: its status and last words; None if it never ends.

        What the command *done* prints changes when the device has done something; of a held disk,
        its requests tell.
        """
        guest = self._guest
        before = "" if self._holds else guest.agent.run(done).text
        while not guest.fence_refusals():
            if self._news():
                if (end := ended(guest)) is not None:
                    return end
                self._answer()
                continue
            now = "" if self._holds else guest.agent.run(done).text
            if now == before:
                return None
            before = now
        return None

    def _news(self) -> bool:
        """Wait until the workload ends, or the held disk is asked; False if neither comes."""
        guest, disk = self._guest, self._disk

        def look() -> bool | None:
            return (disk is not None and disk.waiting > 0) or says_ended(guest) or None

        try:
            return guest.watch.wait("work", look, self._job.stuck, guest.console.last_line)
        except GuestHang:
            return False

    def _answer(self) -> None:
        """Answer the disk once the guest has nothing left to do, or when it is busy for STUCK s.

        Then it tries again and again what has no room before the answers.
        """
        disk = self._disk
        if disk is None:
            return
        self._quiet.wait(STUCK, lambda: disk.waiting)
        before = self._pool.peak
        if self._pool.sample() > before:
            self._at_peak = self._recorded()
        self._waits += disk.answer() > 0

    def _calm(self) -> bool:
        """Wait until the guest has nothing left to do; whether it has."""
        disk = self._disk
        return self._quiet.wait(CALM, lambda: disk.waiting if disk else 0)


def _unstamped(line: str) -> str:
    """A line of the kernel's without its time."""
    return line.partition("] ")[2] or line
