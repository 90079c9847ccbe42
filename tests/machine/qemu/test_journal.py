# SPDX-License-Identifier: Apache-2.0
"""A guest's journal keeps the last lines, and says once what was repeated."""

from harness.machine.qemu.journal import KEPT, REMEMBERED, Journal


def journal(*lines: str) -> Journal:
    journal = Journal()
    for line in lines:
        journal.append(line)
    return journal


def test_the_last_lines_are_kept_in_order() -> None:
    assert journal(*map(str, range(1000))).last(3) == ("997", "998", "999")


def test_equal_neighbours_are_one_line() -> None:
    assert journal("unmap", *(["map"] * 72), "unmap").last() == (
        "unmap",
        "map  [72 times]",
        "unmap",
    )


def test_a_report_has_a_dozen_lines_and_the_journal_more() -> None:
    long = journal(*map(str, range(1000)))

    assert (len(long.last()), len(list(long))) == (KEPT, REMEMBERED) == (12, 192)
    assert list(long)[-1] == "999"


def test_an_empty_journal_is_false() -> None:
    assert not journal()
    assert journal("map")
