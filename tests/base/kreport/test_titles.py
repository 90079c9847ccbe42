# SPDX-License-Identifier: Apache-2.0
"""A kernel report has a title that is the same whenever the same bug shows."""

import re
from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.base.kreport import boot_stop, crashes_in, known_crash, known_crashes
from harness.base.kreport.known import read_known
from harness.base.paths import CHECKOUT

LOGS = Path(__file__).parents[2] / "logs"

TITLES = {
    "panic": ["panic: sysrq triggered crash"],
    "oops": ["oops: NULL pointer dereference in strlen"],
    "external-abort": ["oops: synchronous external abort in arm_smmu_device_probe"],
    "bug": ["BUG in __dma_sync_single_for_cpu"],
    "warn": ["WARNING in swiotlb_bounce"],
    "warn-6.19": ["WARNING in swiotlb_bounce"],
    "kasan": ["KASAN: slab-out-of-bounds in swiotlb_bounce"],
    "kcsan": ["KCSAN: data-race in swiotlb_release_slots / swiotlb_tbl_map_single"],
    "ubsan": ["UBSAN: shift-out-of-bounds in swiotlb_find_slots"],
    "slab": ["slab corruption: Right Redzone overwritten in kmalloc-512"],
    "dma-api": ["DMA-API: device driver frees DMA memory with different size"],
    "lockdep": ["lockdep: possible circular locking dependency"],
    "lockdep-circular": [
        "lockdep: possible circular locking dependency "
        "(pci_rescan_remove_lock after &ctrl->reset_lock)"
    ],
    "suspicious-rcu": ["lockdep: suspicious RCU usage in __swiotlb_find_pool"],
    "atomic": [
        "atomic context: sleeping function called from invalid context in swiotlb_dyn_alloc"
    ],
    "rcu-stall": ["RCU stall"],
    "rcu-stall-recorded": ["RCU stall in chrdev_open"],
    "oom": ["out of memory: tail"],
    "soft-lockup": ["soft lockup in chrdev_open"],
    "hard-lockup": ["hard lockup in swiotlb_search_area"],
    "hung-task": ["hung task in __do_sys_newuname"],
    "boot-stops": [],
    "truncated-oops": ["oops: NULL pointer dereference"],
    "truncated-warn": ["WARNING in swiotlb_bounce"],
    "clean-boot": [],
    "user-space-shouts": [],
}


def lines_of(log: str) -> list[str]:
    return (LOGS / f"{log}.log").read_text().splitlines()


@pytest.mark.parametrize("log", TITLES)
def test_a_log_gives_just_the_titles_of_its_bugs(log: str) -> None:
    assert [crash.title for crash in crashes_in(lines_of(log))] == TITLES[log]


def test_every_log_has_its_titles_here() -> None:
    assert {path.stem for path in LOGS.glob("*.log")} == set(TITLES)


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


@pytest.mark.parametrize("log", TITLES)
def test_times_addresses_offsets_and_numbers_change_no_title(log: str) -> None:
    other = [_changed(line) for line in lines_of(log)]

    assert [crash.title for crash in crashes_in(other)] == TITLES[log]


@pytest.mark.parametrize("log", ["kcsan", "warn", "oops"])
def test_a_title_survives_the_prefix_of_printks_caller(log: str) -> None:
    other = [line.replace("] ", "][   T71] ", 1) for line in lines_of(log)]

    assert [crash.title for crash in crashes_in(other)] == TITLES[log]


def test_a_race_has_the_same_title_from_both_sides() -> None:
    (one,) = crashes_in(["[    1.000000] BUG: KCSAN: data-race in swiotlb_map / swiotlb_bounce"])
    (two,) = crashes_in(["[    1.000000] BUG: KCSAN: data-race in swiotlb_bounce / swiotlb_map"])

    assert one.title == two.title


def test_a_report_has_the_lines_from_its_first_to_its_end_mark() -> None:
    log = ["[    1.000000] clk: before", *lines_of("warn"), "[    2.000000] clk: behind"]

    (crash,) = crashes_in(log)

    assert (crash.lines.start, crash.lines.stop) == (3, len(log) - 1)


def test_a_report_that_ends_before_its_place_says_so() -> None:
    assert [crash.cut for crash in crashes_in(lines_of("truncated-oops"))] == [True]
    assert [crash.cut for crash in crashes_in(lines_of("oops"))] == [False]


@pytest.mark.parametrize("size", range(0, 52, 3))
def test_wherever_an_oops_is_cut_it_is_never_two(size: int) -> None:
    titles = [crash.title for crash in crashes_in(lines_of("oops")[:size])]

    assert titles in ([], TITLES["truncated-oops"], TITLES["oops"])


def test_two_bugs_in_one_log_are_two() -> None:
    log = [*lines_of("warn"), *lines_of("oops")]

    assert [crash.title for crash in crashes_in(log)] == [*TITLES["warn"], *TITLES["oops"]]


def test_a_boot_that_stops_is_named_by_its_last_words_without_numbers() -> None:
    assert (
        boot_stop(lines_of("boot-stops"))
        == "boot stops: after 'psci: PSCIv1.N detected in firmware.'"
    )
    assert boot_stop([]) == "boot stops: without a word"


def test_a_title_on_the_list_is_known_and_another_is_not() -> None:
    (crash,) = crashes_in(lines_of("lockdep-circular"))

    known = known_crash(crash.title)

    assert known is not None
    assert known.links
    assert known_crash("WARNING in swiotlb_bounce") is None
    assert known_crash(f"{crash.title} and more") is None


def test_links_into_the_documents_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^\w -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in (CHECKOUT / "docs/findings.md").read_text().splitlines()
        if line.startswith("#")
    }
    local = [link for one in known_crashes() for link in one.links if link.startswith("docs/")]

    assert local
    assert {link.partition("#")[2] for link in local} <= headings


@pytest.mark.parametrize(
    "text",
    ["[[known]]", "[[known]]\ntitle='('\nabout='x'\nlinks=['y']", "=", "[[known]]\ntitel='a'"],
)
def test_a_broken_list_says_what_is_wrong(text: str) -> None:
    with pytest.raises(InputError, match="list of known crashes"):
        read_known(text)
