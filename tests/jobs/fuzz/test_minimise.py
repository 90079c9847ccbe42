# SPDX-License-Identifier: Apache-2.0
"""What is left of a case that shows something."""

from harness.base.kreport import reports_in
from harness.jobs.fuzz import ConfigSetting, FieldMutation, FuzzCase, FuzzStep, Symptom, minimise
from harness.jobs.fuzz.known import is_harmless
from harness.jobs.fuzz.record import shape_of

BAD, OTHER = FieldMutation(1, "length", 99), FieldMutation(0, "data", 1)

CASE = FuzzCase(
    "blk",
    (
        FuzzStep("plug", 0, (OTHER,)),
        FuzzStep("read", 0, (OTHER, BAD)),
        FuzzStep("write"),
        FuzzStep("serial", 0, (OTHER,)),
    ),
    (ConfigSetting("capacity", 8), ConfigSetting("blk-size", 512)),
)


def mutates_and_writes(case: FuzzCase) -> bool:
    """A bug that takes two steps and a mutation."""
    return BAD in case.mutations and any(step.do == "write" for step in case.steps)


def test_only_what_is_needed_is_left() -> None:
    least = minimise(CASE, mutates_and_writes)

    assert least == FuzzCase(
        "blk", (FuzzStep("plug"), FuzzStep("read", 0, (BAD,)), FuzzStep("write"))
    )


def test_a_setting_that_is_needed_stays() -> None:
    needed = ConfigSetting("capacity", 8)

    least = minimise(CASE, lambda case: needed in case.config)

    assert least == FuzzCase("blk", (FuzzStep("plug"),), (needed,))


def test_it_gives_up_after_so_many_trials() -> None:
    tried: list[FuzzCase] = []

    least = minimise(CASE, lambda case: bool(tried.append(case)), trials=3)

    assert least == CASE
    assert len(tried) == 3


def test_what_differs_in_its_numbers_is_the_same() -> None:
    one = Symptom("report", "WARNING: CPU: 0 PID: 71 at kernel/dma/swiotlb.c:900 f+0x1c/0x200")
    two = Symptom("report", "WARNING: CPU: 1 PID: 9 at kernel/dma/swiotlb.c:911 f+0x88/0x204")
    other = Symptom("report", "WARNING: CPU: 1 PID: 9 at kernel/dma/direct.c:911 f+0x88/0x204")

    assert one.signature == two.signature != other.signature


def test_a_console_line_is_known_by_its_words() -> None:
    assert shape_of("[    1.5] virtio_blk virtio0: id 3 out of range") == shape_of(
        "[   22.1][   T1] virtio_blk virtio1: id 4294967295 out of range"
    )


def test_a_task_that_waits_for_a_device_is_no_finding() -> None:
    log = (
        "[    1.000000] INFO: task dd:55 blocked for more than 120 seconds.",
        "[    2.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
    )

    assert [is_harmless(report) for report in reports_in(log)] == [True, False]
