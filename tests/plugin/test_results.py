# SPDX-License-Identifier: Apache-2.0
"""A test's end says whose fault it was: the kernel's, the guest's, or the harness's."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from python_process import run_python
from sample_suite import KERNEL, write_suite

SUITE = (
    KERNEL
    + """
import pytest
from harness.base.errors import GuestCrash, GuestHang, HarnessError
from harness.base.violation import PropertyViolated, violated
from harness.plugin.markers import kernel_of_item

@pytest.fixture
def kernel(request): request.node.stash[kernel_of_item] = Kernel()
@pytest.fixture
def patched(request): request.node.stash[kernel_of_item] = Kernel(("fix.patch",))
@pytest.fixture
def newer(request): request.node.stash[kernel_of_item] = Kernel(release="6.1.193")

def test_good(): pass
@pytest.mark.property("B1")
def test_property_broken(): assert 1 == 2
@pytest.mark.property("B2", "B7")
def test_one_of_two_properties_broken(): raise violated("slots overlap", "B7")
@pytest.mark.property("D3")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.9")
def test_known_to_be_broken(kernel): assert 1 == 2
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.9")
def test_known_to_be_broken_and_hangs(kernel): raise GuestHang("waited 1 s")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.9", ends=("HANG",))
def test_known_to_hang(kernel): raise GuestHang("waited 1 s")
@pytest.mark.property("D4")
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.9")
def test_known_to_be_broken_and_is_not(kernel): pass
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.9")
def test_mended_by_a_series(patched): pass
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.9")
def test_not_seen_on_this_kernel(newer): pass
@pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.9", sometimes="it is a race")
def test_sometimes_broken(kernel): pass
@pytest.mark.property("D5")
@pytest.mark.finding("6.1-page-order", kernels=">=6.2,<6.9")
def test_broken_on_other_kernels(kernel): pass
@pytest.mark.escape("G1")
def test_escape_that_is_closed(): assert 1 == 2
@pytest.mark.nightly("takes long")
def test_of_the_night(): assert 1 == 2
@pytest.mark.on_request("takes very long")
def test_on_request(): assert 1 == 2
def test_guest_died(): raise GuestCrash("panic: test")
def test_guest_hangs(): raise GuestHang("waited 1 s")
@pytest.mark.property("B2", "B12", "C1")
def test_guest_hangs_in_a_map():
    error = GuestHang("waited 1 s")
    error.properties = ("B12",)
    raise error
@pytest.mark.property("C2")
def test_kernel_does_not_boot():
    error = GuestCrash("panic: early")
    error.properties = ()
    raise error
def test_harness_broke(): raise HarnessError("no disk")
def test_no_memory_left(): bytearray(1 << 60)
def test_skipped(): pytest.skip("reason")

@pytest.fixture
def machine(): raise GuestCrash("panic during the boot")
def test_machine_does_not_boot(machine): pass
"""
)

EXPECTED = {
    "test_good": "PASS",
    "test_property_broken": "FAIL",
    "test_one_of_two_properties_broken": "FAIL",
    "test_known_to_be_broken": "KNOWN",
    "test_known_to_be_broken_and_is_not": "ERROR",
    "test_known_to_be_broken_and_hangs": "HANG",
    "test_known_to_hang": "KNOWN",
    "test_mended_by_a_series": "PASS",
    "test_not_seen_on_this_kernel": "PASS",
    "test_sometimes_broken": "PASS",
    "test_broken_on_other_kernels": "PASS",
    "test_escape_that_is_closed": "KNOWN",
    "test_guest_died": "CRASH",
    "test_guest_hangs": "HANG",
    "test_guest_hangs_in_a_map": "HANG",
    "test_kernel_does_not_boot": "CRASH",
    "test_harness_broke": "ERROR",
    "test_no_memory_left": "ERROR",
    "test_skipped": "SKIP",
    "test_machine_does_not_boot": "CRASH",
}


@dataclass(frozen=True)
class Run:
    """What a run of the sample printed, and its JUnit test cases by name."""

    printed: str
    cases: dict[str, ElementTree.Element]


@pytest.fixture(scope="module", params=[(), ("-n", "2")], ids=["alone", "xdist"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    root: Path = tmp_path_factory.mktemp("sample")
    write_suite(root, SUITE)
    options = ("-v", "--junitxml=out.xml", *request.param)
    done = run_python(["-m", "pytest", *options, "harness"], cwd=root)
    cases = ElementTree.parse(root / "out.xml").iter("testcase")
    return Run(done.stdout, {case.attrib["name"]: case for case in cases})


def test_the_summary_tells_every_result_apart(run: Run) -> None:
    (line,) = [line for line in run.printed.splitlines() if line.startswith("results: ")]
    words = line.split()[1:]
    counts = {name: int(count) for name, count in zip(words[::2], words[1::2], strict=True)}

    assert {name: count for name, count in counts.items() if count} == Counter(EXPECTED.values())


def test_the_results_come_last(run: Run) -> None:
    lines = run.printed.splitlines()
    (results,) = (number for number, line in enumerate(lines) if line.startswith("results: "))

    assert not [line for line in lines[results:] if "::" in line]


def notices(run: Run, test: str) -> list[str]:
    properties = run.cases[test].iter("property")
    return [item.attrib["value"] for item in properties if item.attrib["name"] == "notice"]


def test_an_unexpected_pass_is_a_notice(run: Run) -> None:
    unexpected = (
        "Unexpected pass: finding 6.1-page-order did not reproduce on this kernel "
        "(docs/findings.md)."
    )

    assert notices(run, "test_mended_by_a_series") == [unexpected]
    assert notices(run, "test_not_seen_on_this_kernel") == [unexpected]
    assert notices(run, "test_known_to_be_broken_and_is_not") == [unexpected]


def test_a_finding_that_depends_on_timing_says_why_it_did_not_show(run: Run) -> None:
    assert notices(run, "test_sometimes_broken") == [
        "Finding 6.1-page-order did not show in this run: it is a race."
    ]


def test_the_summary_names_the_broken_properties(run: Run) -> None:
    assert "violated properties: B1 B7 B12\n" in run.printed


def test_junit_tells_every_result_apart(run: Run) -> None:
    results = {
        name: item.attrib["value"]
        for name, case in run.cases.items()
        for item in case.iter("property")
        if item.attrib["name"] == "result"
    }

    assert results == EXPECTED


def test_junit_calls_a_harness_error_an_error_and_a_broken_property_a_failure(run: Run) -> None:
    assert run.cases["test_harness_broke"].find("error") is not None
    assert run.cases["test_harness_broke"].find("failure") is None
    assert run.cases["test_property_broken"].find("failure") is not None


@pytest.mark.parametrize("word", ["CRASH", "HANG", "ERROR"])
def test_the_progress_lines_have_words_of_their_own(run: Run, word: str) -> None:
    lines = [line for line in run.printed.splitlines() if "::" in line]

    assert any(word in line for line in lines)
