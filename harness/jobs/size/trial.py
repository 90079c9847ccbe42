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

from harness.base.errors import GuestCrash, GuestError, InputError
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
from harness.devices.shell import ended, start
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

BUSY = 0.25
"""Seconds for which a guest may be busy until it is asked whether the workload has ended."""

POLL = 0.05
"""Seconds between two looks whether the workload has ended."""

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

    def command(self, work: Work) -> str:
        """The workload for the guest's shell, where NODE is the device's file or network card."""
        network = self.driver.work is NetworkWork
        name = f"$(cd {'/sys/class/net' if network else '/dev'} && echo {self.driver.node})"
        node = name if network else f"/dev/{name}"
        default = work.attempt if network else WORKLOADS[self.driver.work]
        once = f"({self.workload or default}) || exit 1"
        times = " ".join(map(str, range(TIMES)))
        return f"(NODE={node}; for time in {times}; do {once}; done)"


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
        self._disk: HeldDisk | None = None
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
            self._wait_quiet()
            self._bound = self._pool.sample()
            self._calls = recorded_calls(guest)
            if self._disk is not None:
                self._disk.held = True
            start(guest, self._job.command(work))
            end = self._end(work.done)
            self._find_holders()
        finally:
            self._release()
            stop.close()
        return self._judge(end)

    def trial(self, outcome: Ending, detail: str) -> Trial:
        """What was seen of a trial that ended so."""
        lines = self._guest.console.lines
        said = [_unstamped(line) for line in lines if FULL in line or FAILED.search(line)]
        idle = outcome in (Ending.WORKS, Ending.FAILS) and self._wait_quiet()
        high = self._pool.agreed() if idle else self._pool.high_water()
        disk = self._disk
        return Trial(
            size=self._job.size,
            outcome=outcome,
            detail=detail,
            bound=self._bound,
            peak=max(high or 0, self._pool.peak),
            exact=high is not None,
            largest=max(self._pool.largest, self._mapped),
            refused=self._pool.refused is not None or any(map(REFUSED.search, lines)),
            waits=self._waits if disk else None,
            moved=disk.moved if disk else 0,
            holders=self._holders,
            said=tuple(said[:LAST_LINES]),
        )

    def _judge(self, end: tuple[int, str] | None) -> tuple[Ending, str]:
        if end is None:
            return Ending.NEVER_ENDS, f"nothing done by the device, and no end, in {STUCK:g} s"
        status, said = end
        if status:
            return Ending.FAILS, f"it ended with status {status}: {said}"
        console = self._guest.console
        if failed := next(filter(FAILED.search, console.lines), ""):
            return Ending.FAILS, _unstamped(failed)
        if console.reports:
            return Ending.FAILS, f"the kernel reported: {console.reports[0].title}"
        return Ending.WORKS, ""

    def _find_holders(self) -> None:
        """Who held the slots at the first refusal, or at the peak."""
        if self._guest.ending:
            return
        last = recorded_calls(self._guest)
        at_peak = self._pool.refused is None and self._at_peak
        late = at_peak or last
        runs = self._pool.refused or self._pool.runs
        self._holders = holders_of(runs, (*self._calls, *late))
        self._mapped = largest_mapping((*self._calls, *self._at_peak, *last))

    def _release(self) -> None:
        if self._disk is not None:
            self._disk.release()

    def _work(self) -> Work | None:
        """The work of a disk that is held; None for the driver's own."""
        driver = self._job.driver
        if driver.work is not DiskWork or driver.name in AT_ONCE:
            return None
        return DiskWork(self._guest, driver.node, self._hold)

    def _hold(self, file: Path) -> Mapping[str, object]:
        self._disk = HeldDisk(file, self._guest.directory / "disk.sock")
        self._guest.at_close(self._disk.close)
        return self._disk.node

    def _unusable(self, work: Work) -> str:
        """Why the driver did not make the device usable; empty if it did."""
        guest = self._guest
        patience = guest.watch.patience(BINDING)
        while guest.agent.run(work.usable).status:
            if failed := next(filter(PROBE_FAILED.search, guest.console.lines), ""):
                return _unstamped(failed)
            if patience.left() <= 0:
                return f"its driver did not make it usable in {BINDING:g} s"
            guest.watch.sleep(POLL)
        return ""

    def _end(self, done: str) -> tuple[int, str] | None:
        """Serve the workload to its end: its status and last words; None if it never ends.

        What the command *done* prints changes when the device has done something; of a held disk,
        its requests tell.
        """
        patience, before = self._guest.watch.patience(STUCK), ""
        while not self._guest.fence_refusals():
            if self._served():
                patience = self._guest.watch.patience(STUCK)
                continue
            if (end := ended(self._guest)) is not None:
                return end
            now = self._guest.agent.run(done).text
            if now != before:
                patience, before = self._guest.watch.patience(STUCK), now
            if patience.left() <= 0:
                return None
            self._guest.watch.sleep(POLL)
        return None

    def _served(self) -> bool:
        """Whether the device had requests when the guest had nothing left to do, and answered."""
        if self._disk is None:
            self._pool.sample()
            return False
        if not self._wait_quiet() or not self._disk.waiting:
            return False
        before = self._pool.peak
        if self._pool.sample() > before:
            self._at_peak = recorded_calls(self._guest)
        self._waits += 1
        self._disk.answer()
        return True

    def _wait_quiet(self) -> bool:
        """Wait until the guest has nothing left to do, for BUSY seconds; whether it has."""
        disk = self._disk
        return self._quiet.wait(BUSY, lambda: disk.waiting if disk else 0)


def _unstamped(line: str) -> str:
    """A line of the kernel's without its time."""
    return line.partition("] ")[2] or line
