# SPDX-License-Identifier: Apache-2.0
"""How a guest ends, and how the kernel's own reports on the console are recognised."""

import re
from dataclasses import dataclass
from enum import Enum

from harness.errors import GuestCrash, GuestError, GuestHang, HarnessError, QemuError


class Outcome(Enum):
    """What became of a guest, or what its kernel said about itself."""

    READY = "ready"
    PANIC = "panic"
    OOPS = "oops"
    BUG = "bug"
    KASAN = "kasan"
    WARN = "warn"
    LOCKDEP = "lockdep"
    HANG = "hang"
    RESET = "reset"
    POWER_OFF = "power off"
    QEMU_DIED = "QEMU died"
    TIME_OUT = "time ran out"


@dataclass(frozen=True)
class Report:
    """One report that the kernel wrote to its log: what kind, and its first line."""

    kind: Outcome
    title: str

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.title}"


@dataclass(frozen=True)
class Ending:
    """Why a guest is no more; *detail* is the evidence, in one line."""

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


FATAL = frozenset({Outcome.PANIC, Outcome.OOPS, Outcome.BUG, Outcome.HANG})
"""Reports after which nothing that the guest says can be trusted."""

_PATTERNS: tuple[tuple[Outcome, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        # kernel/panic.c:panic
        (Outcome.PANIC, r"Kernel panic - not syncing: .*"),
        # mm/kasan/report.c, mm/kfence/report.c, kernel/kcsan/report.c
        (Outcome.KASAN, r"BUG: (KASAN|KFENCE|KCSAN): .*"),
        # kernel/watchdog.c, kernel/hung_task.c, kernel/rcu/tree_stall.h
        (Outcome.HANG, r"BUG: soft lockup - .*"),
        (Outcome.HANG, r"INFO: task .* blocked for more than .*"),
        (Outcome.HANG, r"rcu.*: INFO: .*(self-detected stall|detected (expedited )?stalls).*"),
        (Outcome.HANG, r"[Ww]atchdog detected hard LOCKUP.*"),
        # kernel/locking/lockdep.c, kernel/rcu/update.c
        (Outcome.LOCKDEP, r"WARNING: (possible|inconsistent|bad unlock|suspicious|held lock).*"),
        (Outcome.LOCKDEP, r"WARNING: .*(lock order|lock held).*"),
        # arch/arm64/mm/fault.c, arch/arm64/kernel/traps.c:die
        (Outcome.OOPS, r"Unable to handle kernel .*"),
        (Outcome.OOPS, r"Internal error: .*"),
        # lib/bug.c:report_bug and the checks that print "BUG:" by themselves
        (Outcome.BUG, r"kernel BUG at .*"),
        (Outcome.BUG, r"BUG: .*"),
        # kernel/panic.c:__warn ("WARNING: CPU: 0 PID: 1 at FILE:LINE f+0x0/0x0", and since 6.19
        # "WARNING: FILE:LINE at f+0x0/0x0, CPU#0: ..."); other uses of the word are no reports
        (Outcome.WARN, r"WARNING: CPU: \d+ PID: .*"),
        (Outcome.WARN, r"WARNING: .* at .*, CPU#\d+.*"),
    )
)

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
            return Report(kind, found[0].strip())
    return None
