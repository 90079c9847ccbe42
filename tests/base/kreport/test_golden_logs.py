# SPDX-License-Identifier: Apache-2.0
"""Each log of tests/logs/ holds the reports that its header states, for consoles and for logs."""

import socket
from pathlib import Path

import pytest
from golden_logs import GoldenLog, golden_log, golden_logs, rewrite, statement

from harness.base.kreport import FORMS, Report, reports_in
from harness.base.kreport.first_line import recognise
from harness.base.kreport.printk import KernelLines
from harness.base.outcome import Ending
from harness.machine.qemu.console import Console
from harness.machine.qemu.watch import Watch


@pytest.mark.parametrize("name", golden_logs())
def test_a_log_holds_the_reports_that_its_header_states(
    name: str, request: pytest.FixtureRequest
) -> None:
    log = golden_log(name)
    reports = reports_in(log.lines)
    if request.config.getoption("--rewrite-logs"):
        rewrite(log, reports)
        log = golden_log(name)

    assert tuple(map(statement, reports)) == log.states


@pytest.mark.parametrize("name", golden_logs())
def test_the_console_finds_the_reports_that_a_reader_of_the_log_finds(
    name: str, tmp_path: Path
) -> None:
    log = golden_log(name)
    reports = tuple(reports_in(log.lines))

    seen, ending = _watched(log, tmp_path / "console.log")

    assert seen == reports
    fatal = next((report for report in reports if report.ends), None)
    assert ending == (fatal and Ending(fatal.ends, fatal.last_words))


def _watched(log: GoldenLog, path: Path) -> tuple[tuple[Report, ...], Ending | None]:
    """What a guest's console makes of the log: its reports, and how it says the guest ended."""
    ours, guest = socket.socketpair()
    watch = Watch()
    console = Console(ours, path, watch)
    console.on_report = lambda report: (
        watch.end(Ending(report.ends, report.last_words)) if report.ends else None
    )
    guest.sendall("".join(f"{line}\r\n" for line in log.lines).encode(errors="replace"))
    watch.wait(
        "the whole log",
        lambda: True if len(console.lines) == len(log.lines) else None,
        timeout=5,
        seen=console.last_line,
        outlive=True,
    )
    guest.close()
    console.close()
    return console.reports, watch.ending


def test_each_row_of_the_table_has_a_log() -> None:
    seen = set()
    for name in golden_logs():
        reader = KernelLines(lambda text: recognise(text) is not None)
        for line in golden_log(name).lines:
            found = (recognise(one.text) for one in reader.take(line))
            seen |= {first.form for first in found if first}

    assert [str(form) for form in FORMS if form not in seen] == []


@pytest.mark.parametrize("name", golden_logs())
def test_a_header_says_what_its_log_is_about(name: str) -> None:
    assert golden_log(name).about
