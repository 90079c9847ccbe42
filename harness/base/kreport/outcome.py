# SPDX-License-Identifier: Apache-2.0
"""How a guest ends, and how the kernel's own reports on the console are recognised."""

import re
from dataclasses import dataclass, replace
from enum import Enum

from harness.base.errors import GuestCrash, GuestError, GuestHang, HarnessError, QemuError


class Outcome(Enum):
    """What became of a guest, or what its kernel said about itself."""

    READY = "ready"
    PANIC = "panic"
    OOPS = "oops"
    BUG = "bug"
    KASAN = "kasan"
    SLAB = "slab corruption"
    WARN = "warn"
    LOCKDEP = "lockdep"
    DMA_DEBUG = "dma-debug"
    HANG = "hang"
    RESET = "reset"
    POWER_OFF = "power off"
    QEMU_DIED = "QEMU died"
    TIME_OUT = "time ran out"


@dataclass(frozen=True)
class Report:
    """One report that the kernel wrote to its log: what kind, and its first line.

    *locks* are those that lockdep names first: the one to be taken, and the one that is held.
    """

    kind: Outcome
    title: str
    locks: tuple[str, ...] = ()

    def __str__(self) -> str:
        locks = f" ({' after '.join(self.locks)})" if self.locks else ""
        return f"{self.kind.value}: {self.title}{locks}"

    @property
    def foreign(self) -> bool:
        """Whether it is known, on kernels without any change, and says nothing about DMA."""
        return frozenset(self.locks) in FOREIGN_LOCKS

    def with_line(self, line: str) -> "Report":
        """The same report, with what *line*, a later one of the console's, adds to it."""
        lock = _LOCK.search(line) if self.kind is Outcome.LOCKDEP else None
        if lock is None or len(self.locks) == NAMED_LOCKS:
            return self
        return replace(self, locks=(*self.locks, lock[1]))


@dataclass(frozen=True)
class Ending:
    """Why a guest is no more; *detail* is the artifacts, in one line."""

    outcome: Outcome
    detail: str

    def __str__(self) -> str:
        return f"{self.outcome.value}: {self.detail}"

    def error(self) -> GuestError | HarnessError:
        """The exception that a caller waiting for this guest gets."""
        if self.outcome is Outcome.QEMU_DIED:
            return QemuError(str(self))
        if self.outcome in (Outcome.HANG, Outcome.TIME_OUT):
            return GuestHang(str(self))
        return GuestCrash(str(self))


NAMED_LOCKS = 2
"""Locks that a report of lockdep's is about; it goes on to list all that are held."""

_LOCK = re.compile(r"[0-9a-f]{8,} \((.+)\)\{\S+\}-\{\d+:\d+\}, at: ")
"""kernel/locking/lockdep.c:print_lock"""

FOREIGN_LOCKS = frozenset({frozenset({"pci_rescan_remove_lock", "&ctrl->reset_lock"})})
"""Every hot-plug into a root port that was there at boot is reported so by 6.12's lockdep: pciehp
takes the two in both orders (drivers/pci/hotplug/pciehp_core.c:pciehp_probe, pciehp_ist).
Lockdep then is off in that guest for good."""

FATAL = frozenset({Outcome.PANIC, Outcome.OOPS, Outcome.BUG, Outcome.HANG})
"""Reports after which nothing that the guest says can be trusted."""

_PATTERNS: tuple[tuple[Outcome | None, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        # kernel/panic.c:panic
        (Outcome.PANIC, r"Kernel panic - not syncing: .*"),
        # mm/kasan/report.c, mm/kfence/report.c, kernel/kcsan/report.c, mm/kmsan/report.c,
        # lib/ubsan.c
        (Outcome.KASAN, r"BUG: (KASAN|KFENCE|KCSAN|KMSAN): .*"),
        (Outcome.KASAN, r"UBSAN: .*"),
        # mm/slub.c:slab_bug, print_tainted()
        (Outcome.SLAB, r"BUG \S.* \((Not tainted|Tainted: .*)\): .*"),
        # kernel/watchdog.c, kernel/hung_task.c, kernel/rcu/tree_stall.h, kernel/workqueue.c
        (Outcome.HANG, r"BUG: (soft|workqueue) lockup - .*"),
        (Outcome.HANG, r"INFO: task .* blocked for more than .*"),
        (Outcome.HANG, r"rcu.*: INFO: .*(self-detected stall|detected (expedited )?stalls?).*"),
        (Outcome.HANG, r"[Ww]atchdog detected hard LOCKUP.*"),
        # kernel/locking/lockdep.c, kernel/rcu/update.c
        (Outcome.LOCKDEP, r"WARNING: (possible|inconsistent|bad|suspicious|held lock|Nested) .*"),
        (Outcome.LOCKDEP, r"WARNING: .*(lock order|lock held|locks held|chain_key collision).*"),
        (Outcome.LOCKDEP, r"BUG: (Invalid wait context|key .* has not been registered).*"),
        (Outcome.LOCKDEP, r"INFO: trying to register non-static key.*"),
        # kernel/sched/core.c:__might_resched, lib/smp_processor_id.c,
        # kernel/locking/spinlock_debug.c
        (Outcome.LOCKDEP, r"BUG: (sleeping function called|assuming|using .* in preemptible) .*"),
        (Outcome.LOCKDEP, r"BUG: (spinlock|rwlock) .*"),
        # kernel/dma/debug.c: err_printk() is a WARN whose own line says less, and the checks may
        # end for want of memory
        (Outcome.DMA_DEBUG, r"DMA-API: \S.* \S+: .*"),
        (Outcome.DMA_DEBUG, r"DMA-API: .*(disabling|error - disabled|dma-debug disabled).*"),
        (None, r"WARNING: .*kernel/dma/debug\.c:.*"),
        # arch/arm64/mm/fault.c, arch/arm64/kernel/traps.c:die
        (Outcome.OOPS, r"Unable to handle kernel .*"),
        (Outcome.OOPS, r"Internal error: .*"),
        # lib/bug.c:report_bug and the checks that print "BUG:" by themselves
        (Outcome.BUG, r"[kK]ernel BUG at .*"),
        (Outcome.BUG, r"BUG: .*"),
        # kernel/panic.c:__warn ("WARNING: CPU: 0 PID: 1 at FILE:LINE f+0x0/0x0", and since 6.19
        # "WARNING: FILE:LINE at f+0x0/0x0, CPU#0: ..."); other uses of the word are no reports
        (Outcome.WARN, r"WARNING: CPU: \d+ PID: .*"),
        (Outcome.WARN, r"WARNING: .* at .*, CPU#\d+.*"),
    )
)
"""The first one that matches counts; None: the line before it was the report already."""

_KERNEL_LINE = re.compile(r"\[ *\d+\.\d{6}\](?:\[[^\]]*\])? (.*)$")
"""Not only at the start of a line: a shell's prompt has no end, and printk waits for none."""


def kernel_report(line: str) -> Report | None:
    """Recognise the first line of a kernel report; *line* is a console line with printk time.

    A line without a printk time stamp is a program's output, never a report.
    """
    stamped = _KERNEL_LINE.search(line)
    if stamped is None:
        return None
    for kind, pattern in _PATTERNS:
        found = pattern.search(stamped[1])
        if found:
            return Report(kind, found[0].strip()) if kind else None
    return None
