# SPDX-License-Identifier: Apache-2.0
"""How long a guest is waited for: in time that the host gave it, never by the clock alone.

A guest on a busy host is slow, not hung. So the time that any thread of its QEMU was runnable and
had no processor (the second number of /proc/PID/task/TID/schedstat, Linux,
Documentation/scheduler/sched-stats.rst) is not counted, nor time in which the harness itself did
not run. A host kernel without SCHED_INFO says nothing of it; there the clock counts.
"""

import time
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path

from harness.base.errors import HostError

SLICE = 1.0
"""Seconds after which a wait looks what the host did meanwhile; shorter waits go by the clock."""

STARVED = 10
"""A wait is given up as the host's fault when it takes this many times its seconds by the clock."""

ADVICE = "run fewer programs beside it, or fewer workers (-n)"

Delays = Mapping[int, float]
"""Seconds that each thread of QEMU's, by its id, was runnable and had no processor."""


def delays(pid: int) -> Delays:
    """What the host kept from each thread of process *pid* so far."""
    found = {}
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            found[int(task.parent.name)] = int(task.read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):  # the thread has ended, or there is no SCHED_INFO
            continue
    return found


def no_delays() -> Delays:
    """The delays of a peer that is no process of ours: the clock counts."""
    return {}


def kept(before: Delays, now: Delays) -> float:
    """Seconds that the host kept, between two looks, from the thread that it kept most from."""
    return max((value - before.get(thread, 0.0) for thread, value in now.items()), default=0.0)


class Patience:
    """Waiting *seconds* of a guest's own time from now on; *delays* says what the host kept."""

    def __init__(
        self,
        seconds: float,
        delays: Callable[[], Delays] = no_delays,
        progress: Callable[[], object] | None = None,
        most: float = inf,
    ) -> None:
        """*progress* changes while the guest gets on: each change starts anew, up to *most* s."""
        self.seconds = seconds
        self._most = most
        self._before = 0.0
        self._delays = delays
        self._progress = progress
        self._seen = progress() if progress else None
        self._start(time.monotonic(), None)

    def _start(self, now: float, delays: Delays | None) -> None:
        self._begin = self._looked = now
        self._first = delays
        self._lost = self._asleep = 0.0

    @property
    def own(self) -> float:
        """Seconds of the guest's own time that have passed, as far as was looked."""
        return time.monotonic() - self._begin - self._lost - self._asleep

    def left(self) -> float:
        """Seconds to wait until the next look; none or less when the patience is at its end.

        Raises HostError when the host gives QEMU so little that the end cannot be awaited.
        """
        now = time.monotonic()
        since = now - self._looked
        if since >= SLICE or (self.own >= self.seconds > SLICE):
            self._look(now, since)
        left = min(self.seconds - self.own, self._most - self._before - self.own)
        waited = now - self._begin - self._asleep
        if left > 0 and waited > STARVED * max(self.seconds, SLICE):
            raise HostError(
                f"the host is too busy: it gave QEMU {self.own:.0f} of the last {waited:.0f} s; "
                f"{ADVICE}"
            )
        return min(left, SLICE)

    def _look(self, now: float, since: float) -> None:
        self._looked = now
        self._asleep += max(0.0, since - 2 * SLICE)  # nobody waits that long in one go
        delays = self._delays()
        seen = self._progress() if self._progress else None
        if seen != self._seen:
            self._seen = seen
            self._before += self.own
            self._start(now, delays)
        elif self._first is None:
            self._first = delays
        self._lost = kept(self._first or {}, delays)
