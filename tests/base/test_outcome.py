# SPDX-License-Identifier: Apache-2.0
"""An ending becomes the error of whoever is to blame."""

import pytest

from harness.base.errors import GuestCrash, GuestHang, HostError, QemuError
from harness.base.outcome import Ending, Outcome


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome.PANIC, GuestCrash),
        (Outcome.RESET, GuestCrash),
        (Outcome.HANG, GuestHang),
        (Outcome.TIME_OUT, GuestHang),
        (Outcome.QEMU_DIED, QemuError),
        (Outcome.HOST_FAILED, HostError),
    ],
)
def test_an_ending_becomes_the_error_of_who_is_to_blame(
    outcome: Outcome, error: type[Exception]
) -> None:
    assert type(Ending(outcome, "seen").error()) is error
