# SPDX-License-Identifier: Apache-2.0
"""What is said of a kernel's log, console, counters and pages."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from expect_fakes import POOL, SAID, Counters, Silent, Unmet, silent, told, violation_of

from harness.base.errors import GuestHang
from harness.observe.memory import MemoryUse
from harness.suite.lib import expect
from harness.suite.lib.expect import kernel

MET: list[Callable[[], object]] = [
    lambda: expect.slots_used(Counters(3), 3),  # type: ignore[arg-type]
    lambda: expect.logged(SAID, "assigned reserved memory"),  # type: ignore[arg-type]
    lambda: expect.not_logged(SAID, "OVERLAP"),  # type: ignore[arg-type]
]

UNMET: dict[str, Unmet] = {
    "leaked": (
        lambda: expect.slots_used(Counters(128), 0),  # type: ignore[arg-type]
        "io_tlb_used is 0 slots (0 bytes)",
        "io_tlb_used is 128 slots (256 KiB)",
    ),
    "not logged": (
        lambda: expect.logged(SAID, "OVERLAP DETECTED"),  # type: ignore[arg-type]
        "in the kernel log: OVERLAP DETECTED",
        f"2 lines without it, the last: {SAID.lines[-1]}",
    ),
    "logged": (
        lambda: expect.not_logged(SAID, "Booting"),  # type: ignore[arg-type]
        "not in the kernel log: Booting",
        "Booting Linux",
    ),
    "not printed": (
        lambda: expect.printed(Silent(), "swiotlb .* full"),  # type: ignore[arg-type]
        "on the console: swiotlb .* full",
        "its last lines:\nBooting Linux\nRun /init",
    ),
}


test_what_is_as_expected_is_silent = silent(MET)
test_what_is_not_says_what_was_expected_and_observed = told(UNMET)


def test_a_guest_that_does_not_answer_is_a_hang_and_no_violation() -> None:
    with pytest.raises(GuestHang, match="hello"):
        expect.printed(Silent(answers=False), "swiotlb .* full")  # type: ignore[arg-type]


def test_an_attachment_is_told_by_log_and_structures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "assigned", lambda *_: POOL.name)
    monkeypatch.setattr(kernel, "pool_of", lambda *_: "")

    violation = violation_of(lambda: expect.attached(SAID, None, "probe-a", POOL))  # type: ignore[arg-type] # neither is asked

    assert violation.expected == "probe-a has pool restricted-dma@4f000000"
    assert violation.observed == (
        "the kernel log assigns pool restricted-dma@4f000000, dma_io_tlb_mem is no restricted pool"
    )


PAGES_OF_4K = SimpleNamespace(page_size=4096)


def test_the_first_page_that_is_not_reserved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    uses = [MemoryUse.RESERVED, MemoryUse.FREE, MemoryUse.SLAB]
    monkeypatch.setattr(kernel, "page_uses", lambda *_: uses)

    violation = violation_of(lambda: expect.all_reserved(PAGES_OF_4K, POOL))  # type: ignore[arg-type] # a stand-in

    assert violation.observed == "2 of 3 pages are not, first 0x4f001000: free page"


def test_the_first_page_that_is_reserved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    uses = [MemoryUse.FREE, MemoryUse.RESERVED, MemoryUse.RESERVED]
    monkeypatch.setattr(kernel, "page_uses", lambda *_: uses)

    violation = violation_of(lambda: expect.not_reserved(PAGES_OF_4K, POOL))  # type: ignore[arg-type] # a stand-in

    assert violation.observed == "2 of 3 pages are, first 0x4f001000"
