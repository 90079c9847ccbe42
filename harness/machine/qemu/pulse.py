# SPDX-License-Identifier: Apache-2.0
"""A hang that the guest cannot tell of: a CPU that runs, and takes no interrupts any more.

Neither the kernel's watchdogs nor its agent run on such a CPU. But its timer still fires, and in
the interrupt controller that interrupt stays pending. It is looked at from outside, so it works
for every kernel, and on each CPU by itself. It does not see a CPU that takes interrupts and gets
nowhere (the kernel's soft lockup detector tells of that after 20 s), nor one without a timer.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable

from qemu.qmp import QMPError

from harness.base.errors import HarnessError
from harness.base.outcome import Ending, Outcome
from harness.machine.qemu.loop import call, event_loop
from harness.machine.qemu.monitor import Event, Monitor
from harness.machine.qemu.patience import Delays, Patience
from harness.machine.qemu.watch import Watch

PERIOD = 1.0
"""Seconds between two looks."""

LONGEST = 10.0
"""Seconds of its own time in which a CPU must take a timer interrupt, as those of the kernel's own
hard lockup detector (kernel/watchdog.c, watchdog_thresh)."""

REDISTRIBUTORS, REDISTRIBUTOR_SIZE = 0x080A_0000, 0x2_0000
"""Where the ``virt`` board has the GICv3 redistributors, and the two frames of each (QEMU,
hw/arm/virt.c, base_memmap[VIRT_GIC_REDIST]; GICv3 specification, 12.10)."""

ENABLED, PENDING = 0x1_0100, 0x1_0200
"""GICR_ISENABLER0 and GICR_ISPENDR0, in a redistributor's SGI frame (GICv3, 12.11)."""

TIMERS = 1 << 26 | 1 << 27 | 1 << 29 | 1 << 30
"""The interrupts of a CPU's timers (QEMU, include/hw/arm/bsa.h, ARCH_TIMER_*)."""


class Pulse:
    """Looks at a guest's CPUs every second while they run; tells *watch* of one that is stuck."""

    def __init__(
        self, monitor: Monitor, watch: Watch, cpus: int, delays: Callable[[], Delays]
    ) -> None:
        self._monitor = monitor
        self._watch = watch
        self._cpus = cpus
        self._delays = delays
        self._running = False
        self._stuck: dict[int, Patience] = {}
        """CPUs whose timer interrupt was pending at every look since."""
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
                for cpu in range(self._cpus if self._running else 0):
                    await self._look(cpu)

    async def _look(self, cpu: int) -> None:
        base = REDISTRIBUTORS + cpu * REDISTRIBUTOR_SIZE
        pending = await self._word(base + PENDING) & TIMERS
        if not pending or not pending & await self._word(base + ENABLED):
            self._stuck.pop(cpu, None)
        elif not self._running:
            return
        elif cpu not in self._stuck:
            self._stuck[cpu] = Patience(LONGEST, self._delays)
        elif self._stuck[cpu].left() <= 0:
            detail = f"CPU {cpu} has taken no interrupt for {LONGEST:g} s, at {await self._pc(cpu)}"
            self._watch.end(Ending(Outcome.HANG, detail))

    async def _word(self, address: int) -> int:
        answer = await self._monitor.look(f"xp /1wx {address:#x}")
        return int(answer.rpartition(":")[2], 0)

    async def _pc(self, cpu: int) -> str:
        found = re.findall(r"\bPC=([0-9a-f]+)", await self._monitor.look("info registers -a"))
        return f"pc 0x{found[cpu]}" if cpu < len(found) else "an unknown place"
