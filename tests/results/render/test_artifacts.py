# SPDX-License-Identifier: Apache-2.0
"""What is kept of a guest is read back whole, or says what is left out."""

from dataclasses import replace
from pathlib import Path

import pytest
from golden_logs import golden_log
from report_runs import base_run, case, write_artifacts

from harness.base.kreport import reports_in
from harness.results.render import Inputs, page
from harness.results.render.artifacts import Log, read_artifacts
from harness.results.render.files import read_log
from harness.results.render.layout import DeviceAccess, MemoryPart
from harness.results.render.picture import picture, pieces

RAM = MemoryPart(0x40000000, 0x10000000, "ram", "RAM")
POOL = MemoryPart(0x4F000000, 0x1000000, "pool", "pool")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return Path(write_artifacts(tmp_path / "artifacts"))


def test_a_guests_crash_is_named_and_what_its_rogue_tried(directory: Path) -> None:
    artifacts = read_artifacts(directory)

    assert artifacts is not None
    assert [report.title for report in artifacts.reports] == [
        "oops: NULL pointer dereference in strlen"
    ]
    assert artifacts.accesses == (
        DeviceAccess("rogue0", "read", 0x40780000, 4, refused=True),
        DeviceAccess("rogue0", "write", 0x4F001000, 64, refused=False),
        DeviceAccess("rogue1", "read", 0x40800000, 16, refused=True),
    )
    assert [(part.kind, part.base) for part in artifacts.parts] == [
        ("ram", 0x40000000),
        ("pool", 0x4F000000),
        ("scratch", 0x47FF0000),
    ]


def test_a_line_of_a_program_is_no_report_of_the_kernel(directory: Path) -> None:
    (directory / "console.log").write_text(
        "[  1.000000] Kernel panic - not syncing: I am a shell\n"
    )

    artifacts = read_artifacts(directory)

    assert artifacts is not None
    assert artifacts.reports == ()


def test_a_directory_that_was_thrown_away_is_no_artifacts(tmp_path: Path) -> None:
    assert read_artifacts(tmp_path / "gone") is None


def test_a_directory_with_nothing_in_it_is_an_empty_page(tmp_path: Path) -> None:
    artifacts = read_artifacts(tmp_path)

    assert artifacts is not None
    assert (artifacts.logs, artifacts.parts, artifacts.accesses) == ((), (), ())


def test_of_a_long_log_the_reports_the_end_and_the_begin_are_kept() -> None:
    report = golden_log("panic").lines
    noise = [f"[    0.{number:06}] noise" for number in range(10000)]

    lines = (*noise[:5000], *report, *noise[5000:])
    log = Log("console.log", lines, tuple(reports_in(lines)))

    spans = log.kept(20000)

    kept = [index for span in spans for index in span]
    assert sum(len(lines[index]) + 1 for index in kept) <= 20000
    assert set(log.reports[0].lines) <= set(kept)
    assert (kept[0], kept[-1]) == (0, len(lines) - 1)
    assert [span.start for span in spans] == sorted(span.start for span in spans)


def test_a_short_log_is_kept_whole() -> None:
    assert Log("a", ("one", "two", "three")).kept() == (range(3),)


def test_the_page_says_how_much_is_left_out(directory: Path) -> None:
    text = "".join(f"[{number:10.6f}] {'x' * 100}\n" for number in range(2000))
    (directory / "console.log").write_text(text)
    artifacts = read_artifacts(directory)
    assert artifacts is not None
    outcome = case("test_x", "FAIL", artifacts=str(directory))

    shown = page(replace(base_run(), tests=(outcome,)), Inputs({str(directory): artifacts}))

    assert "lines left out: a report holds 48 KiB of a log" in shown


def test_of_a_huge_file_begin_and_end_are_read(tmp_path: Path) -> None:
    path = tmp_path / "fence.log"
    path.write_text("a" * 600 + "b" * 1000 + "c" * 600)

    text = read_log(path, 1000)

    assert text == (
        "a" * 500 + "\n[1200 bytes were not read here: fence.log is too large]\n" + "c" * 500
    )


def test_where_parts_overlap_the_picture_has_the_smaller() -> None:
    assert [(one.base, one.part) for one in pieces([RAM, POOL], [])] == [
        (0x40000000, RAM),
        (0x4F000000, POOL),
    ]


def test_an_access_stands_in_the_piece_that_it_hits() -> None:
    hit = DeviceAccess("rogue0", "read", 0x4F000010, 4, refused=False)
    beyond = DeviceAccess("rogue0", "read", 0x60000000, 4, refused=True)

    found = {one.base: one.accesses for one in pieces([RAM, POOL], [hit, beyond])}

    assert found == {0x40000000: (), 0x4F000000: (hit,), 0x60000000: (beyond,)}


def test_the_picture_says_what_was_refused_and_how_often() -> None:
    refused = [
        DeviceAccess("rogue0", "read", 0x40001000 + 4 * n, 4, refused=True) for n in range(3)
    ]

    drawn = picture(
        [RAM], [*refused, DeviceAccess("rogue0", "write", 0x40000000, 4, refused=False)]
    )

    assert "rogue0 reads 0x40001000, 3 x" in drawn
    assert 'class="refused"' in drawn
    assert 'class="hit"' in drawn


@pytest.mark.parametrize(("address", "look"), [(0x40000000, "hit"), (0x4F000000, "allowed")])
def test_what_a_rogue_may_reach_looks_different(address: int, look: str) -> None:
    drawn = picture([RAM, POOL], [DeviceAccess("rogue0", "write", address, 4, refused=False)])

    assert f'<path class="{look}"' in drawn


def test_of_nothing_there_is_no_picture() -> None:
    assert picture([], []) == ""


def test_a_line_that_is_too_long_is_cut_and_says_so(directory: Path) -> None:
    (directory / "console.log").write_text("y" * 5000)
    artifacts = read_artifacts(directory)
    assert artifacts is not None
    outcome = case("test_x", "FAIL", artifacts=str(directory))

    shown = page(replace(base_run(), tests=(outcome,)), Inputs({str(directory): artifacts}))

    assert f"{'y' * 1000} [cut]" in shown
    assert "y" * 1001 not in shown
