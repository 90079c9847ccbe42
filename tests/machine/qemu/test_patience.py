# SPDX-License-Identifier: Apache-2.0
"""A guest is waited for in its own time: a host that is busy elsewhere makes no hang."""

import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from harness.base.errors import GuestHang, HostError
from harness.machine.qemu import patience
from harness.machine.qemu.patience import Delays, Patience, delays
from harness.machine.qemu.watch import Watch
from harness.suite.lib.busy_host import spinning_on_one_cpu

DEADLINE = 60.0
"""Seconds for what takes a fifth of a second on an idle machine."""

THREAD = 1

TICK = 0.001
"""Seconds that a sleep takes at least."""


@dataclass
class Host:
    """A clock, and what a busy host has kept from QEMU's one thread."""

    now: float = 1000.0
    kept: float = 50.0

    def delays(self) -> Delays:
        """What is said of the thread now."""
        return {THREAD: self.kept}

    def pass_(self, seconds: float, share: float = 1.0) -> None:
        """Let time pass, of which QEMU gets a *share*."""
        self.now += seconds
        self.kept += seconds * (1 - share)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host()
    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=lambda: host.now))
    return host


def wait(host: Host, patience: Patience, share: float) -> float:
    """Sleep as long as the patience says; returns the seconds by the clock."""
    begin = host.now
    while (left := patience.left()) > 0:
        host.pass_(max(left, TICK), share)
    return host.now - begin


@pytest.mark.parametrize("share", [1.0, 0.5, 0.25])
def test_time_that_the_host_kept_from_qemu_does_not_count(host: Host, share: float) -> None:
    waited = wait(host, Patience(20, host.delays), share)

    # nothing is known of the time before the first look
    assert 20 <= waited <= 20 / share + 1
    assert waited >= (20 - patience.SLICE) / share


def test_a_wait_that_the_host_starves_is_the_hosts_fault(host: Host) -> None:
    with pytest.raises(HostError, match="the host is too busy: it gave QEMU"):
        wait(host, Patience(20, host.delays), share=0.01)


def test_time_in_which_the_harness_did_not_run_does_not_count(host: Host) -> None:
    waiting = Patience(20, host.delays)
    waiting.left()

    host.now += 3600  # Ctrl-Z, and fg

    assert waiting.left() > 0
    assert wait(host, waiting, share=1.0) > 10


def test_each_progress_starts_anew_up_to_the_most(host: Host) -> None:
    lines = []

    def progress() -> int:
        if host.now < 1015 or len(lines) > 1000:
            lines.append("a line")
        return len(lines)

    assert 30 <= wait(host, Patience(20, host.delays, progress, most=120), share=1.0) <= 40
    lines += [""] * 1000
    assert 120 <= wait(host, Patience(20, host.delays, progress, most=120), share=1.0) <= 122


def test_a_host_that_says_nothing_of_its_threads_leaves_the_clock(host: Host) -> None:
    assert wait(host, Patience(20), share=0.1) == pytest.approx(20, abs=2 * TICK)


def test_the_kernel_says_what_a_thread_was_kept_from() -> None:
    with spinning_on_one_cpu(2) as (pid, _):
        end = time.monotonic() + DEADLINE
        while (kept := sum(delays(pid).values())) < 0.1 and time.monotonic() < end:
            time.sleep(0.01)

    assert kept >= 0.1
    assert delays(pid) == {}


def test_a_watch_waits_in_the_guests_time(host: Host) -> None:
    watch = Watch()
    watch.delays = host.delays
    looks = iter(range(100))

    def look() -> int | None:
        host.pass_(1, share=0.5)
        return 42 if next(looks) == 4 else None

    assert watch.wait("an answer", look, 3, lambda: "nothing") == 42


def test_a_watch_says_what_it_waited_for_and_how_long() -> None:
    with pytest.raises(GuestHang, match=r"waited 0\.1 s for an answer; last seen: nothing"):
        Watch().wait("an answer", lambda: None, 0.1, lambda: "nothing")
