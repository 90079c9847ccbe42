# SPDX-License-Identifier: Apache-2.0
"""A hang that the guest cannot tell of: a CPU that runs, and takes no interrupts any more.

Neither the kernel's watchdogs nor its agent run on such a CPU. But its timer still fires, and in
the interrupt controller that interrupt stays pending while the CPU masks interrupts. It is looked
at from outside, so it works for every kernel, and on each CPU by itself.

Limits: on a busy host the timer of a CPU that waits for the host is nearly always pending, and
CPUs that wait for each other's locks mask interrupts nearly always (97 of 100 looks at four CPUs
on one of the host's). So for a guest with several CPUs only time counts in which QEMU's threads
had the host's processors; elsewhere each wait's own end tells of a hang. Nor does it see a CPU
that takes interrupts and gets nowhere (the kernel's soft lockup detector tells of that after 20 s),
or one without a timer.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable

from qemu.qmp import QMPError

from harness.base.errors import HarnessError
from harness.base.outcome import Ending, Outcome
from harness.machine.qemu.host_share import HostShare
from harness.machine.qemu.loop import call, event_loop
from harness.machine.qemu.monitor import Event, Monitor
from harness.machine.qemu.patience import Delays, Patience
from harness.machine.qemu.watch import Watch

PERIOD = 0.25
"""Seconds between two looks."""

BUSY = 0.25
"""The part of a period that the host may keep from a thread of QEMU's."""

LONGEST = 15.0
"""Seconds of its own time in which a CPU must take a timer interrupt; the kernel's own hard lockup
detector allows 10 (kernel/watchdog.c, watchdog_thresh)."""

REDISTRIBUTORS, REDISTRIBUTOR_SIZE = 0x080A_0000, 0x2_0000
"""Where the ``virt`` board has the GICv3 redistributors, and the two frames of each (QEMU,
hw/arm/virt.c, base_memmap[VIRT_GIC_REDIST]; GICv3 specification, 12.10)."""

ENABLED, PENDING = 0x1_0100, 0x1_0200
"""GICR_ISENABLER0 and GICR_ISPENDR0, in a redistributor's SGI frame (GICv3, 12.11)."""

MASKED = 1 << 7
"""PSTATE.I (Arm ARM, C5.2, DAIF)."""

TIMERS = 1 << 26 | 1 << 27 | 1 << 29 | 1 << 30
"""The interrupts of a CPU's timers (QEMU, include/hw/arm/bsa.h, ARCH_TIMER_*)."""


class Pulse:
    """Looks at a guest's CPUs four times a second, and tells *watch* of one that is stuck."""

    def __init__(
        self,
        monitor: Monitor,
        watch: Watch,
        cpus: int,
        delays: Callable[[], Delays],
        host: HostShare,
    ) -> None:
        """At each look, *host* learns what the host has kept from QEMU."""
        self._monitor = monitor
        self._watch = watch
        self._cpus = cpus
        self._delays = delays
        self._host = host
        self._running = False
        self._kept: Delays = {}
        """What the host had kept from QEMU's threads at the last look."""
        self._stuck: dict[int, Patience] = {}
        """CPUs whose timer interrupt was pending, and masked, at every look since."""
        self._task = call(lambda: event_loop().create_task(self._beat()))

    def on_event(self, event: Event) -> None:
        """Note that the CPUs were stopped or started; runs on the loop's thread."""
        if event["event"] in ("STOP", "RESUME", "RESET"):
            self._running = event["event"] != "STOP"
            self._stuck.clear()

    def close(self) -> None:
        """Look no more."""
        call(self._task.cancel)

    async def _beat(self) -> None:
        with contextlib.suppress(HarnessError, QMPError, asyncio.CancelledError):
            while self._watch.ending is None:
                await asyncio.sleep(PERIOD)
                self._forget_if_busy()
                for cpu in range(self._cpus if self._running else 0):
                    await self._look(cpu)

    def _forget_if_busy(self) -> None:
        """Begin anew when the host has kept a thread of a guest with several CPUs from running."""
        before, self._kept = self._kept, self._delays()
        self._host.look(self._kept)
        if self._cpus > 1 and any(
            now - before.get(one, now) > BUSY * PERIOD for one, now in self._kept.items()
        ):
            self._stuck.clear()

    async def _look(self, cpu: int) -> None:
        if not await self._takes_none(cpu):
            self._stuck.pop(cpu, None)
        elif not self._running:
            return
        elif cpu not in self._stuck:
            self._stuck[cpu] = Patience(LONGEST, self._delays)
        elif self._stuck[cpu].left() <= 0:
            place = await self._register("PC", cpu)
            detail = f"CPU {cpu} has taken no interrupt for {LONGEST:g} s, at pc 0x{place}"
            self._watch.end(Ending(Outcome.HANG, detail))

    async def _takes_none(self, cpu: int) -> bool:
        """Whether the CPU masks interrupts now, with one of its timers' pending."""
        base = REDISTRIBUTORS + cpu * REDISTRIBUTOR_SIZE
        pending = await self._word(base + PENDING) & TIMERS
        if not pending or not pending & await self._word(base + ENABLED):
            return False
        return bool(int(await self._register("PSTATE", cpu), 16) & MASKED)

    async def _word(self, address: int) -> int:
        answer = await self._monitor.look(f"xp /1wx {address:#x}")
        return int(answer.rpartition(":")[2], 0)

    async def _register(self, name: str, cpu: int) -> str:
        """The hexadecimal value of a register that QEMU shows."""
        shown = await self._monitor.look("info registers -a")
        return str(re.findall(rf"\b{name}=([0-9a-f]+)", shown)[cpu])
