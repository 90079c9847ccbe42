# SPDX-License-Identifier: Apache-2.0
"""The kernel's watchdogs are believed unless the host starved QEMU."""

from types import SimpleNamespace

import pytest

from harness.base.kreport import ReportReader
from harness.base.outcome import Outcome
from harness.machine.qemu import host_share
from harness.machine.qemu.host_share import WINDOW, HostShare

THREAD = 1

HANG = "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [init:1]"
OOPS = "Unable to handle kernel paging request at virtual address 0000000000000000"


def watched(monkeypatch: pytest.MonkeyPatch, *shares: float) -> HostShare:
    """A host that gave QEMU each of *shares* for two windows, one after the other."""
    now, kept = 1000.0, 50.0
    host = HostShare()
    monkeypatch.setattr(host_share, "time", SimpleNamespace(monotonic=lambda: now))
    for share in shares:
        for _ in range(2 * int(WINDOW)):
            host.look({THREAD: kept})
            now, kept = now + 1, kept + 1 - share
    return host


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1])
def test_the_share_is_that_of_the_last_half_minute(
    monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    assert HostShare().share == 1.0
    assert watched(monkeypatch, 1 - share, share).share == pytest.approx(share)


@pytest.mark.parametrize(
    ("line", "share", "outcome"),
    [
        (HANG, 0.5, Outcome.HANG),
        (HANG, 0.1, Outcome.HOST_FAILED),
        (OOPS, 0.1, Outcome.OOPS),
    ],
)
def test_only_a_hang_may_be_the_hosts_fault(
    monkeypatch: pytest.MonkeyPatch, line: str, share: float, outcome: Outcome
) -> None:
    reader = ReportReader()
    reader.take(f"[    1.000000] {line}")
    (report,) = reader.reports

    ending = watched(monkeypatch, share).ending(report)

    assert ending is not None
    assert ending.outcome is outcome
