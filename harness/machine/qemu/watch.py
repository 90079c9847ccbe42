# SPDX-License-Identifier: Apache-2.0
"""One place for all that may happen to a guest, so that every wait ends when the guest does.

Each waiter has a SimpleQueue, which a signal whose handler raises cannot leave locked, as it can
a Condition.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from queue import Empty, SimpleQueue
from typing import TypeVar

from harness.base.errors import GuestHang
from harness.base.outcome import Ending
from harness.machine.qemu.patience import Delays, Patience, no_delays

T = TypeVar("T")


class Watch:
    """Wakes whoever waits for a guest: at news, at its end, or at the deadline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[SimpleQueue[None]] = []
        self._ending: Ending | None = None
        self._at_end: list[Callable[[Ending], None]] = []
        self.delays: Callable[[], Delays] = no_delays
        """What the host keeps from the guest's QEMU."""

    def patience(self, seconds: float) -> Patience:
        """A wait for the guest that begins now, of *seconds* of its own time."""
        return Patience(seconds, self.delays)

    @property
    def ending(self) -> Ending | None:
        """How the guest ended; None while it lives."""
        return self._ending

    def at_end(self, call: Callable[[Ending], None]) -> None:
        """Register *call* for the moment the guest ends; called at once if it has."""
        with self._lock:
            if self._ending is None:
                self._at_end.append(call)
                return
            ending = self._ending
        call(ending)

    def end(self, ending: Ending) -> None:
        """Record how the guest ended; the first cause stands, later ones are consequences."""
        with self._lock:
            if self._ending is not None:
                return
            self._ending = ending
            calls, self._at_end = self._at_end, []
        self.notify()
        for call in calls:
            call(ending)

    def notify(self) -> None:
        """Something new can be seen: let every waiter look again."""
        for waiter in tuple(self._waiting):
            waiter.put(None)

    def sleep(self, seconds: float) -> None:
        """Sleep while the guest lives; raises its ending when that comes first."""
        end = time.monotonic() + seconds
        with self._news() as news:
            while self._ending is None:
                left = end - time.monotonic()
                if left <= 0:
                    return
                _await(news, left)
        raise self._ending.error()

    def wait(
        self,
        what: str,
        look: Callable[[], T | None],
        timeout: float,
        seen: Callable[[], str],
        *,
        outlive: bool = False,
    ) -> T:
        """Return the first result of *look* that is not None, looking again at all news.

        Raises the guest's ending if it ends first, unless the wait shall *outlive* it, and
        GuestHang after *timeout* seconds of its own time; its message says what was awaited, how
        long, and what was last *seen*.
        """
        patience = self.patience(timeout)
        with self._news() as news:
            while True:
                found = look()
                if found is not None:
                    return found
                if self._ending is not None and not outlive:
                    raise self._ending.error()
                left = patience.left()
                if left <= 0:
                    raise GuestHang(f"waited {timeout:g} s for {what}; last seen: {seen()}")
                _await(news, left)

    @contextlib.contextmanager
    def _news(self) -> Iterator[SimpleQueue[None]]:
        """What has an item for each news since it was made."""
        news: SimpleQueue[None] = SimpleQueue()
        self._waiting.append(news)
        try:
            yield news
        finally:
            self._waiting.remove(news)


def _await(news: SimpleQueue[None], seconds: float) -> None:
    with contextlib.suppress(Empty):
        news.get(timeout=seconds)
