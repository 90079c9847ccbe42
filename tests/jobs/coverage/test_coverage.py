# SPDX-License-Identifier: Apache-2.0
"""Counters become lines, lines become a report, and a report says what nobody has reached."""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from harness.jobs.coverage import lines_never_run, make_report, page, patch_lines, table
from harness.jobs.coverage.counts import load_counts, save_counts, total
from harness.jobs.coverage.gcda import FUNCTION
from harness.jobs.coverage.layout import Counters, Layout, ProfiledFunction, Unit, load_layout
from harness.jobs.coverage.lines import merge, read_lines
from harness.jobs.coverage.scope import Extent, known_reasons, restricted_paths
from harness.kernel.build.gcov import CoveredLine
from harness.kernel.build.notes import _added
from harness.kernel.source.content import Content

SWIOTLB = "kernel/dma/swiotlb.c"

SOURCE = """\
int swiotlb_map(int x);

static int
nr_slots(int x)
{
	return x;
}

int swiotlb_map(int x)
{
	int y = nr_slots(x);

	if (y > 7)
		return -1;
	return y;
}
"""

LAYOUT = Layout(
    "key", (Unit("/x/a.gcda", 1, 2, 3, (ProfiledFunction(4, 5, 6, (Counters(0, 64, 2),)),)),)
)


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """Lay out a kernel's directory with one source, of which a series added lines 13 and 14."""
    source = tmp_path / "coverage/sources" / SWIOTLB
    source.parent.mkdir(parents=True)
    source.write_text(SOURCE)
    added = {SWIOTLB: [13, 14], "Documentation/x.rst": [1]}
    (tmp_path / "coverage/added.json").write_text(json.dumps(added))
    return tmp_path


def lines(**counts: int) -> dict[tuple[str, int], CoveredLine]:
    """Lines of the source by number, with two branches in line 13."""
    numbers = {int(name[1:]): count for name, count in counts.items()}
    return merge(
        CoveredLine(SWIOTLB, number, count, (count, 0) if number == 13 else ())
        for number, count in numbers.items()
    )


def test_functions_are_found_by_their_definitions(kernel: Path) -> None:
    assert list(restricted_paths(kernel / "coverage/sources")) == [
        Extent(SWIOTLB, "swiotlb_map", 9, 16),
        Extent(SWIOTLB, "nr_slots", 4, 7),
    ]


def test_report_counts_lines_and_branches(kernel: Path) -> None:
    report = make_report(kernel, lines(l11=3, l13=3, l14=0, l15=3))
    tally = report.tally
    assert (tally.lines, tally.run, tally.branches, tally.taken, tally.share) == (4, 3, 2, 1, 0.75)


def test_line_that_never_ran_is_named(kernel: Path) -> None:
    report = make_report(kernel, lines(l11=3, l14=0))
    assert list(lines_never_run(report)) == [
        f"{SWIOTLB}:14 swiotlb_map: return -1;  [reason unknown]"
    ]


def test_line_with_a_reason_does_not_count(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {(SWIOTLB, "swiotlb_map", "return -1;"): "there is no such x"}
    monkeypatch.setattr("harness.jobs.coverage.coverage_report.known_reasons", lambda: reasons)
    report = make_report(kernel, lines(l11=3, l14=0))
    assert (report.tally.share, report.stale) == (1.0, ())


def test_reason_of_a_line_that_ran_is_stale(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = (SWIOTLB, "swiotlb_map", "return -1;")
    monkeypatch.setattr(
        "harness.jobs.coverage.coverage_report.known_reasons", lambda: {reason: "why"}
    )
    assert make_report(kernel, lines(l14=1)).stale == (reason,)


def test_lines_of_a_series_are_told(kernel: Path) -> None:
    report = make_report(kernel, lines(l11=3, l13=3, l14=0))
    sources = kernel / "coverage/sources"
    assert [line for patch in report.patches for line in patch_lines(patch, sources)] == [
        f"{SWIOTLB}: 1 of 2 added lines with code ran; not run:",
        "  14: return -1;",
        "Documentation/x.rst: no added line has code in this kernel",
    ]


def test_page_shows_source_numbers_and_what_never_ran(kernel: Path) -> None:
    report = make_report(kernel, lines(l13=3, l14=0))
    text = page(report, kernel / "coverage/sources", "a <title>")
    assert ("a &lt;title&gt;" in text, 'class="missed"' in text, "if (y &gt; 7)" in text) == (
        True,
        True,
        True,
    )


def test_table_has_a_row_for_functions_files_and_all(kernel: Path) -> None:
    assert table(make_report(kernel, lines(l6=1, l13=3))).row_count == 4


def test_header_in_two_objects_is_added_up() -> None:
    one, other = CoveredLine("a.h", 1, 2, (2, 0)), CoveredLine("a.h", 1, 3, (0, 3))
    assert merge([one, other]) == {("a.h", 1): CoveredLine("a.h", 1, 5, (2, 3))}


def test_layout_is_read_back(tmp_path: Path) -> None:
    LAYOUT.save(tmp_path)
    assert load_layout(tmp_path) == LAYOUT


def test_counts_of_all_guests_are_added_up(tmp_path: Path) -> None:
    for number, counts in enumerate([(1, 2), (10, 0)]):
        save_counts(counts, tmp_path / f"{number}.json")
    assert total(load_counts(tmp_path), LAYOUT) == (11, 2)


def test_added_lines_are_those_that_differ() -> None:
    before, after = (Content(0o100644, text) for text in (b"a\nb\nc\n", b"a\nx\nc\nd\n"))
    assert _added(before, after) == [2, 4]


def test_every_reason_names_a_function_of_the_restricted_paths() -> None:
    scope = (Path(__file__).parents[3] / "harness/jobs/coverage/scope.toml").read_text()
    assert [name for _, name, _ in known_reasons() if f'"{name}"' not in scope] == []


def test_counters_of_a_real_object_become_lines(tmp_path: Path) -> None:
    """What gcc and gcov think of our file, for an object with one counter per arc."""
    source, notes = tmp_path / "src/a.c", tmp_path / "notes"
    source.parent.mkdir()
    notes.mkdir()
    source.write_text("int f(int x)\n{\n\tif (x)\n\t\treturn 1;\n\treturn 2;\n}\n")
    compiler = ["aarch64-linux-gnu-gcc", "--coverage", "-c", "src/a.c", "-o", "notes/a.o"]
    subprocess.run(compiler, check=True, cwd=tmp_path)
    ident, lines_sum, graph, stamps = _identity(notes / "a.gcno")
    counters = (Counters(0, 0, 2),)
    unit = Unit("/b/a.gcda", *stamps, (ProfiledFunction(ident, lines_sum, graph, counters),))
    (tmp_path / "coverage").mkdir()
    shutil.move(notes, tmp_path / "coverage/notes")
    found = read_lines(tmp_path / "coverage", Layout("key", (unit,)), (5, 2))
    assert sorted(found["a.c", number].count for number in (3, 4, 5)) == [2, 3, 5]


def _identity(notes: Path) -> tuple[int, int, int, tuple[int, int, int]]:
    """Ident and checksums of the only function, and version and stamps of its object."""
    data = notes.read_bytes()
    _, version, stamp, checksum = struct.unpack_from("<4I", data)
    _, _, *function = struct.unpack_from("<5I", data, data.index(FUNCTION.to_bytes(4, "little")))
    return *function, (version, stamp, checksum)
