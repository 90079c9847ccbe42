# SPDX-License-Identifier: Apache-2.0
"""A signal whose handler raises may come at any moment of a wait: later waits work."""

import asyncio
import random
import signal
from collections.abc import Callable, Iterator

import pytest

from harness.base.errors import GuestHang
from harness.base.outcome import Ending, Outcome
from harness.machine.qemu.loop import call, event_loop, run
from harness.machine.qemu.watch import Watch

SIGNALS = 1000

LATEST = 300e-6
"""Seconds until the signal, in which several waits begin and end."""

MOST_WAITS = 1000
"""More than there are in LATEST."""

AT_ONCE = 100e-6
"""Seconds that a wait may take that nothing ends."""

WATCH = Watch()


class Left(Exception):
    """Raised by the handler, as KeyboardInterrupt and SystemExit are by those of the harness."""


@pytest.fixture
def leaving() -> Iterator[None]:
    """SIGALRM raises Left."""

    def leave(*_: object) -> None:
        raise Left

    before = signal.signal(signal.SIGALRM, leave)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def _call() -> None:
    call(lambda: None)


def _run() -> None:
    run(asyncio.sleep(0), "nothing", 5)


def _watch() -> None:
    call(WATCH.notify)
    with pytest.raises(GuestHang):
        WATCH.wait("nothing", lambda: None, AT_ONCE, lambda: "")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("wait", [_call, _run, _watch])
@pytest.mark.usefixtures("leaving")
def test_a_wait_that_a_signal_ends_leaves_nothing_locked(wait: Callable[[], None]) -> None:
    """A lock that stays held would stop the event loop, and with it every later wait."""
    event_loop()
    left = 0
    for _ in range(SIGNALS):
        try:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, LATEST))
            for _ in range(MOST_WAITS):
                wait()
        except Left:
            left += 1

    assert left > SIGNALS / 2  # some are raised in a callback without a caller, and ignored
    assert call(lambda: 1) == 1


def test_every_waiter_is_woken_by_the_end() -> None:
    """An ending ends a wait and a sleep that have begun before it."""
    watch = Watch()
    ending = Ending(Outcome.PANIC, "made up")
    event_loop().call_soon_threadsafe(lambda: event_loop().call_later(0.05, watch.end, ending))

    with pytest.raises(type(ending.error()), match="made up"):
        watch.wait("the end", lambda: None, 60, lambda: "nothing")
    with pytest.raises(type(ending.error()), match="made up"):
        watch.sleep(60)
