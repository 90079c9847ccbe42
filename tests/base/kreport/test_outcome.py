# SPDX-License-Identifier: Apache-2.0
"""Kernel reports are recognised by their first line, and nothing else is taken for one."""

from pathlib import Path

import pytest

from harness.base.errors import GuestCrash, GuestHang, QemuError
from harness.base.kreport.outcome import Ending, Outcome, kernel_report

LOGS = Path(__file__).parents[2] / "logs"


@pytest.mark.parametrize(
    ("log", "kinds"),
    [
        ("panic.log", [Outcome.PANIC]),
        ("oops.log", [Outcome.OOPS, Outcome.OOPS, Outcome.PANIC]),
        ("bug.log", [Outcome.BUG, Outcome.OOPS, Outcome.PANIC]),
        ("warn.log", [Outcome.WARN]),
        ("warn-6.19.log", [Outcome.WARN]),
        ("kasan.log", [Outcome.KASAN]),
        ("lockdep.log", [Outcome.LOCKDEP]),
        ("soft-lockup.log", [Outcome.HANG]),
        ("hung-task.log", [Outcome.HANG]),
        ("rcu-stall.log", [Outcome.HANG]),
        ("clean-boot.log", []),
        ("user-space-shouts.log", []),
    ],
)
def test_a_recorded_log_gives_just_its_reports(log: str, kinds: list[Outcome]) -> None:
    lines = (LOGS / log).read_text().splitlines()

    reports = [report for line in lines if (report := kernel_report(line))]

    assert [report.kind for report in reports] == kinds


def test_the_title_of_a_report_is_its_line_without_the_time_stamp() -> None:
    report = kernel_report("[    3.141593] Kernel panic - not syncing: Fatal exception")

    assert report is not None
    assert report.title == "Kernel panic - not syncing: Fatal exception"


def test_a_report_behind_a_shell_prompt_is_seen() -> None:
    report = kernel_report("/ # \x1b[6n[    0.890006] Unable to handle kernel NULL pointer at 0")

    assert report is not None
    assert report.kind is Outcome.OOPS


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        (Outcome.PANIC, GuestCrash),
        (Outcome.RESET, GuestCrash),
        (Outcome.HANG, GuestHang),
        (Outcome.TIME_OUT, GuestHang),
        (Outcome.QEMU_DIED, QemuError),
    ],
)
def test_an_ending_becomes_the_error_of_who_is_to_blame(
    outcome: Outcome, error: type[Exception]
) -> None:
    assert type(Ending(outcome, "seen").error()) is error
