# SPDX-License-Identifier: Apache-2.0
"""What is said of a fence that refused an access, or was changed."""

from collections.abc import Callable

from expect_fakes import REFUSAL, Fenced, Unmet, silent, told

from harness.suite.lib import expect

MET: list[Callable[[], object]] = [
    lambda: expect.fence_held(Fenced()),  # type: ignore[arg-type]
    lambda: expect.fence_held(Fenced((REFUSAL,)), "rogue0"),  # type: ignore[arg-type]
]

UNMET: dict[str, Unmet] = {
    "refused by the fence": (
        lambda: expect.fence_held(Fenced((REFUSAL, REFUSAL))),  # type: ignore[arg-type]
        "no refused access",
        "2, first write of 0x41485000 by 0000:02:00.0",
    ),
    "a fence that was changed": (
        lambda: expect.fence_held(Fenced(damage=("SMMU CR0 is 0",))),  # type: ignore[arg-type]
        "an intact fence",
        "SMMU CR0 is 0",
    ),
}


test_what_is_as_expected_is_silent = silent(MET)
test_what_is_not_says_what_was_expected_and_observed = told(UNMET)
