# SPDX-License-Identifier: Apache-2.0
"""A kernel report has a title that is the same whenever the same bug shows."""

import re
from collections.abc import Iterable

import pytest
from golden_logs import golden_log, golden_logs

from harness.base.errors import InputError
from harness.base.kreport import boot_stop, known_report, known_reports, reports_in
from harness.base.kreport.known import read_known
from harness.base.paths import CHECKOUT

PREFIXES = (
    "][   T71] ",
    "][    C0] ",
    "] [T1403598] ",
    "] [4: netd: 771] ",
    "]  [4:           netd:  771] [name:report&]",
    "] (4)[771:netd]",
    "] <2>-(2)[1:swapper/0]",
    "] [pid:771,cpu4,netd]",
    "] c2 771 (netd) ",
)
"""What vendors' kernels have printk put behind the time stamp."""


def lines_of(log: str) -> list[str]:
    return list(golden_log(log).lines)


def titles_of(log: Iterable[str]) -> list[str]:
    return [report.title for report in reports_in(log)]


def _changed(line: str) -> str:
    """The same line from another run: other times, addresses, offsets, process and CPU."""
    for pattern, other in (
        (r"^\[ *\d+\.\d{6}\]", "[  123.456789]"),
        (r"\+0x[0-9a-f]+/0x[0-9a-f]+", "+0x77/0x777"),
        (r"\b(0x)?[0-9a-f]{12,16}\b", r"\g<1>0123456789abcdef"),
        (r"PID: \d+", "PID: 4711"),
        (r"CPU#\d+", "CPU#5"),
        (r"CPU: \d+", "CPU: 5"),
        (r"stuck for \d+s! \[init:\d+\]", "stuck for 26s! [init:99]"),
        (r"task sh:\d+", "task sh:99"),
        (r"blocked for more than \d+", "blocked for more than 120"),
        (r"(\.[ch]):\d+", r"\g<1>:9999"),
    ):
        line = re.sub(pattern, other, line)
    return line


@pytest.mark.parametrize("log", golden_logs())
def test_times_addresses_offsets_and_numbers_change_no_title(log: str) -> None:
    other = [_changed(line) for line in lines_of(log)]

    assert titles_of(other) == titles_of(lines_of(log))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("log", ["kcsan", "warn", "oops", "bad-page-state", "list-del-bug"])
def test_printks_prefixes_change_no_title(log: str, prefix: str) -> None:
    other = [line.replace("] ", prefix, 1) for line in lines_of(log)]

    assert titles_of(other) == titles_of(lines_of(log))


@pytest.mark.parametrize(
    "log", ["kcsan", "warn", "oops", "panic", "soft-lockup", "hung-task", "oom"]
)
def test_a_kernel_without_time_stamps_gives_the_same_titles(log: str) -> None:
    bare = [re.sub(r"^.*?\[ *\d+\.\d{6}\] ", "", line) for line in lines_of(log)]

    assert titles_of(bare) == titles_of(lines_of(log))


@pytest.mark.parametrize("log", ["warn", "oops", "soft-lockup", "kasan", "bad-page-state"])
def test_lines_of_other_cpus_change_nothing_where_printk_names_the_caller(log: str) -> None:
    own = [line.replace("] ", "][   T71] ", 1) for line in lines_of(log)]
    mixed = [
        line
        for one in own
        for line in (one, "[    9.000000][   C1]  other_function+0x10/0x20", "[    9.1][ C1]")
    ]

    assert titles_of(mixed) == titles_of(own)


def test_a_shell_prompt_before_the_stamp_does_not_hide_a_report() -> None:
    log = ["/ # \x1b[6n[    0.890006] Unable to handle kernel NULL pointer at 0"]

    assert titles_of(log) == ["oops: NULL pointer at N"]


def test_what_a_program_prints_before_the_first_stamp_is_not_the_kernels() -> None:
    said = "WARNING: CPU: 0 PID: 1 at mm/slub.c:1 f+0x0/0x0"

    assert titles_of([said]) == []
    assert titles_of([f"init: {said}", *[f"line {n}" for n in range(30)]]) == []


def test_a_race_has_the_same_title_from_both_sides() -> None:
    (one,) = reports_in(["[    1.000000] BUG: KCSAN: data-race in swiotlb_map / swiotlb_bounce"])
    (two,) = reports_in(["[    1.000000] BUG: KCSAN: data-race in swiotlb_bounce / swiotlb_map"])

    assert one.title == two.title


def test_a_report_has_the_lines_from_its_first_to_its_end_mark() -> None:
    log = ["[    1.000000] clk: before", *lines_of("warn"), "[    2.000000] clk: behind"]

    (report,) = reports_in(log)

    assert (report.lines.start, report.lines.stop) == (3, len(log) - 1)


def test_a_report_that_ends_before_its_place_says_so() -> None:
    assert [report.cut for report in reports_in(lines_of("truncated-oops"))] == [True]
    assert [report.cut for report in reports_in(lines_of("oops"))] == [False]


@pytest.mark.parametrize("size", range(0, 52, 3))
def test_wherever_an_oops_is_cut_it_is_never_two(size: int) -> None:
    titles = titles_of(lines_of("oops")[:size])

    assert titles in ([], titles_of(lines_of("truncated-oops")), titles_of(lines_of("oops")))


def test_two_bugs_in_one_log_are_two() -> None:
    log = [*lines_of("warn"), *lines_of("oops")]

    assert titles_of(log) == [*titles_of(lines_of("warn")), *titles_of(lines_of("oops"))]


def test_a_boot_that_stops_is_named_by_its_last_words_without_numbers() -> None:
    assert (
        boot_stop(lines_of("boot-stops"))
        == "boot stops: after 'psci: PSCIv1.N detected in firmware.'"
    )
    assert boot_stop([]) == "boot stops: without a word"


def test_a_title_on_the_list_is_known_and_another_is_not() -> None:
    (report,) = reports_in(lines_of("lockdep-circular"))

    known = known_report(report.title)

    assert known is not None
    assert known.links
    assert known_report("WARNING in swiotlb_bounce") is None
    assert known_report(f"{report.title} and more") is None


def test_links_into_the_documents_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in (CHECKOUT / "docs/findings.md").read_text().splitlines()
        if line.startswith("#")
    }
    local = [link for one in known_reports() for link in one.links if link.startswith("docs/")]

    assert local
    assert {link.partition("#")[2] for link in local} <= headings


@pytest.mark.parametrize(
    "text",
    ["[[known]]", "[[known]]\ntitle='('\nabout='x'\nlinks=['y']", "=", "[[known]]\ntitel='a'"],
)
def test_a_broken_list_says_what_is_wrong(text: str) -> None:
    with pytest.raises(InputError, match="list of known reports"):
        read_known(text)
