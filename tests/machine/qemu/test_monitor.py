# SPDX-License-Identifier: Apache-2.0
"""Which events of QEMU end a guest."""

import pytest

from harness.base.outcome import Outcome
from harness.machine.qemu.monitor import ending_of


@pytest.mark.parametrize(
    ("event", "data", "outcome"),
    [
        ("GUEST_PANICKED", {"action": "pause"}, Outcome.PANIC),
        ("GUEST_PANICKED", {"action": "run"}, None),  # it goes on, to its report and a reset
        ("SHUTDOWN", {"reason": "guest-reset"}, Outcome.RESET),
        ("SHUTDOWN", {"reason": "guest-shutdown"}, Outcome.POWER_OFF),
        ("SHUTDOWN", {"reason": "host-qmp-quit"}, None),
        ("STOP", {}, None),
    ],
)
def test_an_event_that_ends_the_guest_has_an_outcome(
    event: str, data: dict[str, str], outcome: Outcome | None
) -> None:
    assert ending_of({"event": event, "data": data}) == outcome
