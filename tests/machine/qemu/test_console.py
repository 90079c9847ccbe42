# SPDX-License-Identifier: Apache-2.0
"""The console takes whatever a guest sends, and every wait on it has an end."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import GuestCrash, GuestHang
from harness.base.outcome import Ending, Outcome
from harness.machine.qemu.console import LINE_LIMIT, Console
from harness.machine.qemu.loop import call, event_loop
from harness.machine.qemu.watch import Watch

PROMPT = 0.05
"""Seconds for a wait that must run out."""


@dataclass
class Line:
    """Both ends of a serial line: *guest* is the end that the test writes to."""

    guest: socket.socket
    ours: socket.socket
    console: Console
    watch: Watch
    log: Path


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    ours, guest = socket.socketpair()
    watch, log = Watch(), tmp_path / "console.log"
    console = Console(ours, log, watch)
    yield Line(guest, ours, console, watch, log)
    guest.close()
    console.close()


def test_a_line_that_comes_in_pieces_is_one_line(line: Line) -> None:
    line.guest.sendall(b"[    0.1] Booting ")
    line.guest.sendall(b"Linux\r\n")

    assert line.console.wait_for("Booting", 5).string == "[    0.1] Booting Linux"


def test_lines_that_have_arrived_are_read_before_they_are_told(line: Line) -> None:
    call(lambda: event_loop().remove_reader(line.ours))  # the loop is slow
    line.guest.sendall(b"probe-a: assigned\r\n")

    assert line.console.lines_so_far() == ("probe-a: assigned",)


def test_a_line_that_comes_while_others_are_looked_at_is_not_missed(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lines(list[str]):
        def __getitem__(self, key: Any) -> Any:
            """What was there before the line that comes now."""
            before = super().__getitem__(key)
            if "late" not in self:
                self.append("late")
                threading.Timer(0, line.watch.notify).start()
            return before

    monkeypatch.setattr(line.console, "_lines", Lines(["early"]))

    assert line.console.wait_for("late", 5)


def test_bytes_that_are_no_text_do_not_stop_the_console(line: Line) -> None:
    line.guest.sendall(bytes(range(256)) * 64 + b"\nalive\n")

    assert line.console.wait_for("^alive$", 5)


def test_megabytes_without_a_line_end_are_cut_and_read_on(line: Line) -> None:
    flood = threading.Thread(target=line.guest.sendall, args=(b"x" * (4 << 20) + b"\nend\n",))
    flood.start()

    line.console.wait_for("^end$", 20)
    flood.join()

    assert max(map(len, line.console.lines)) <= LINE_LIMIT


def test_the_log_has_a_time_stamp_before_every_line(line: Line) -> None:
    line.guest.sendall(b"one\ntwo\n")
    line.console.wait_for("two", 5)

    stamps = [text.partition("] ") for text in line.log.read_text().splitlines()]

    assert [(head[0], text) for head, _, text in stamps] == [("[", "one"), ("[", "two")]


def test_a_silent_guest_is_a_hang_that_names_what_was_seen_last(line: Line) -> None:
    line.guest.sendall(b"last words\n")
    line.console.wait_for("last words", 5)

    with pytest.raises(GuestHang, match=r"/never/.*last words"):
        line.console.wait_for("never", PROMPT)


def test_a_report_is_kept_and_told_at_once(line: Line) -> None:
    told = []
    line.console.on_report = told.append

    line.guest.sendall(b"[    1.000000] Kernel panic - not syncing: test\ngone\n")
    line.console.wait_for("gone", 5)

    assert [report.title for report in told] == ["panic: test"]
    assert list(line.console.reports) == told


LOCKDEP = """\
[    1.451744] WARNING: possible circular locking dependency detected
[    1.457566] ------------------------------------------------------
[    1.458866] irq/15-pciehp/27 is trying to acquire lock:
[    1.460157] ffff8000806f8a78 (first){+.+.}-{3:3}, at: pci_lock_rescan_remove+0x18/0x20
[    1.463620] but task is already holding lock:
[    1.464978] ffff000001e34f00 (second){.+.+}-{3:3}, at: pciehp_ist+0xec/0x198
[    1.532820]  #0: ffff000001e34f01 (third){.+.+}-{3:3}, at: pciehp_ist+0xec/0x198
done
"""


@pytest.mark.parametrize(
    ("taken", "held", "benign"),
    [
        ("pci_rescan_remove_lock", "&ctrl->reset_lock", True),
        ("&ctrl->reset_lock", "pci_rescan_remove_lock", True),
        ("pci_rescan_remove_lock", "&area->lock", False),
        ("&mem->lock", "&ctrl->reset_lock", False),
    ],
)
def test_lockdep_names_the_locks_and_only_one_pair_is_no_concern_of_ours(
    line: Line, taken: str, held: str, benign: bool
) -> None:
    line.guest.sendall(LOCKDEP.replace("first", taken).replace("second", held).encode())
    line.console.wait_for("done", 5)

    (report,) = line.console.reports

    assert (report.locks, report.benign) == ((taken, held), benign)


def test_the_end_of_the_guest_ends_a_wait_at_once(line: Line) -> None:
    ending = Ending(Outcome.PANIC, "test")
    threading.Timer(PROMPT, line.watch.end, (ending,)).start()

    with pytest.raises(GuestCrash, match="panic: test"):
        line.console.wait_for("never", 60)


def test_a_wait_from_a_mark_does_not_see_older_lines(line: Line) -> None:
    line.guest.sendall(b"plugged\n")
    line.console.wait_for("plugged", 5)

    with pytest.raises(GuestHang):
        line.console.wait_for("plugged", PROMPT, since=line.console.mark)


def test_what_a_person_types_reaches_the_guest(line: Line) -> None:
    line.console.write(b"uname\n")

    assert line.guest.recv(100) == b"uname\n"
