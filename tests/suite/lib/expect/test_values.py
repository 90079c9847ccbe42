# SPDX-License-Identifier: Apache-2.0
"""What is said of values, counts and conditions."""

from collections.abc import Callable

from expect_fakes import Unmet, silent, told

from harness.suite.lib import expect

MET: list[Callable[[], object]] = [
    lambda: expect.counted(64, 64, "mappings"),
    lambda: expect.equal([1, 2], [1, 2], "numbers"),
    lambda: expect.require(True, "a", "b"),
]

UNMET: dict[str, Unmet] = {
    "too many": (lambda: expect.counted(72, 64, "mappings"), "64 mappings", "72"),
    "another address": (
        lambda: expect.equal(0x4F00_1000, 0x4F00_0000, "dma_addr"),
        "dma_addr: 0x4f000000",
        "0x4f001000",
    ),
    "another element of many": (
        lambda: expect.equal([1, 2, 3, 4, 5], [1, 2, 9, 4, 5], "lengths"),
        "lengths: 5, number 2: 9",
        "5, number 2: 3",
    ),
    "fewer elements": (
        lambda: expect.equal([], ["a", "b", "c", "d", "e"], "events"),
        "events: 5, number 0: a",
        "0, number 0: missing",
    ),
    "another length": (lambda: expect.equal([1], [1, 2], "lengths"), "lengths: [1, 2]", "[1]"),
    "other content": (
        lambda: expect.equal(b"abcd", b"abxd", "the file"),
        "the file, byte 2 of 4: 78 64",
        "63 64",
    ),
    "shorter content": (
        lambda: expect.equal(b"ab", b"abx", "the file"),
        "the file, byte 2 of 3: 78",
        "nothing more",
    ),
    "a long value": (
        lambda: expect.equal("x" * 1000, "", "the output"),
        "the output: ''",
        f"{'x' * 400}...",
    ),
    "a condition": (
        lambda: expect.require(False, "an address below 1342177280", "1342177280"),
        "an address below 0x50000000",
        "0x50000000",
    ),
}


test_what_is_as_expected_is_silent = silent(MET)
test_what_is_not_says_what_was_expected_and_observed = told(UNMET)
