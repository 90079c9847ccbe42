# SPDX-License-Identifier: Apache-2.0
"""What is said of bytes that are not those that were expected."""

from collections.abc import Callable

from expect_fakes import Memory, Unmet, memory, silent, told

from harness.devices.probe import Byte
from harness.suite.lib import expect
from harness.suite.lib.written import CPU, DEVICE

MET: list[Callable[[], object]] = [
    lambda: expect.holds(memory((CPU, 100)), CPU),  # type: ignore[arg-type]
    lambda: expect.holds(memory((CPU, 100)), DEVICE, 100),  # type: ignore[arg-type]
    lambda: expect.unchanged(memory((CPU, 100), (DEVICE, 9)), CPU, 0, 100),  # type: ignore[arg-type]
    lambda: expect.same_bytes(Memory(b"abc"), 1, b"bc"),  # type: ignore[arg-type]
]

UNMET: dict[str, Unmet] = {
    "changed": (
        lambda: expect.unchanged(memory((DEVICE, 4096)), CPU),  # type: ignore[arg-type]
        "0x41485000 unchanged",
        r"\d+ bytes of 4 KiB changed, first at 0x41485000: \w\w -> \w\w",
    ),
    "not copied": (
        lambda: expect.holds(memory((Byte(1), 8)), Byte(0), 4),  # type: ignore[arg-type]
        "0x41485004 holds zeros",
        "4 bytes of 4 bytes differ, first at 0x41485004: 00 -> 01",
    ),
    "other bytes": (
        lambda: expect.same_bytes(Memory(b"abc"), 1, b"bd"),  # type: ignore[arg-type]
        "0x41485001 holds the expected bytes",
        "1 byte of 2 bytes differ, first at 0x41485002: 64 -> 63",
    ),
}


test_what_is_as_expected_is_silent = silent(MET)
test_what_is_not_says_what_was_expected_and_observed = told(UNMET)
