# SPDX-License-Identifier: Apache-2.0
"""Whether the host let a guest run, of which the kernel's watchdogs say that it hangs.

They go by the guest's clock, which goes on while the host runs others.
"""

import time
from collections import deque

from harness.base.kreport import Report
from harness.base.outcome import Ending, Outcome
from harness.machine.qemu.patience import ADVICE, Delays, kept

WINDOW = 30.0
"""Seconds of the host's share: the kernel's watchdogs tell of a hang after 20 to 28."""

ENOUGH = 0.3
"""The least share with which the kernel's watchdogs are believed: of 28 s it leaves 8."""


class HostShare:
    """What part of the last WINDOW seconds the host gave QEMU."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Delays]] = deque()

    def look(self, delays: Delays) -> None:
        """Note what the host has kept so far; to be called several times in a window."""
        now = time.monotonic()
        self._looks.append((now, delays))
        while self._looks[0][0] < now - WINDOW:
            self._looks.popleft()

    @property
    def share(self) -> float:
        """Between 0 and 1, of the thread that got least; 1 before there are two looks."""
        if len(self._looks) < 2:
            return 1.0
        (begin, before), (end, now) = self._looks[0], self._looks[-1]
        return max(0.0, 1 - kept(before, now) / (end - begin))

    def ending(self, report: Report) -> Ending | None:
        """How *report* ends the guest: a hang is the host's fault if it gave too little."""
        if report.ends is None:
            return None
        if report.ends is not Outcome.HANG or self.share >= ENOUGH:
            return Ending(report.ends, report.last_words)
        return Ending(
            Outcome.HOST_FAILED,
            f"the host is too busy: it gave QEMU {self.share:.0%} of the last {WINDOW:g} s, and "
            f"the kernel's watchdog ran out: {report.last_words}; {ADVICE}",
        )
