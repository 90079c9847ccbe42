# SPDX-License-Identifier: Apache-2.0
"""What a check says of a driver that stays inside and does not work."""

import pytest

from harness.base.violation import violated
from harness.jobs.check.check_device import why_broken


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ("'dd a\n& wait' ended with 137 in the guest: ", "a larger transfer did not end in 60 s"),
        (
            "'dd' ended with 1 in the guest: dd: I/O error",
            "a larger transfer failed: dd: I/O error",
        ),
        ("'dd' ended with 1 in the guest: ", "a larger transfer failed: status 1"),
        ("bytes that the guest read are wrong: expected a, observed b", None),
    ],
)
def test_a_transfer_that_fails_is_told_without_its_command(summary: str, said: str | None) -> None:
    assert why_broken(violated(summary)) == (said or summary)
