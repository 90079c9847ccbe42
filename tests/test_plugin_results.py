# SPDX-License-Identifier: Apache-2.0
"""A test's end says whose fault it was: the kernel's, the guest's, or the harness's."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest_plugins = ["pytester"]

SUITE = """
import pytest
from harness.errors import GuestCrash, GuestHang, HarnessError

def test_good(): pass
def test_promise_broken(): assert 1 == 2
def test_guest_died(): raise GuestCrash("panic: test")
def test_guest_hangs(): raise GuestHang("waited 1 s")
def test_harness_broke(): raise HarnessError("no disk")
def test_skipped(): pytest.skip("reason")

@pytest.fixture
def machine(): raise GuestCrash("panic during the boot")
def test_machine_does_not_boot(machine): pass
"""

EXPECTED = {
    "test_good": "PASS",
    "test_promise_broken": "FAIL",
    "test_guest_died": "CRASH",
    "test_guest_hangs": "HANG",
    "test_harness_broke": "ERROR",
    "test_skipped": "SKIP",
    "test_machine_does_not_boot": "ERROR",
}


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    directory = pytester.mkdir("harness") / "suite"
    directory.mkdir()
    (directory / "test_sample.py").write_text(SUITE)
    return pytester


def run(suite: pytest.Pytester, *options: str) -> pytest.RunResult:
    # the sample lies outside this project's suite, so no kernel is built for it
    return suite.runpytest_subprocess("harness/suite/test_sample.py", *options)


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_the_summary_tells_every_result_apart(
    suite: pytest.Pytester, options: tuple[str, ...]
) -> None:
    result = run(suite, *options)

    result.stdout.fnmatch_lines(["results: PASS 1  FAIL 1  CRASH 1  HANG 1  ERROR 2  SKIP 1"])


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_junit_tells_every_result_apart(suite: pytest.Pytester, options: tuple[str, ...]) -> None:
    run(suite, "--junitxml=out.xml", *options)

    cases = ElementTree.parse(Path("out.xml")).iter("testcase")
    seen = {
        case.attrib["name"]: next(
            item.attrib["value"]
            for item in case.iter("property")
            if item.attrib["name"] == "result"
        )
        for case in cases
    }
    assert seen == EXPECTED


def test_junit_calls_a_harness_error_an_error_and_a_broken_promise_a_failure(
    suite: pytest.Pytester,
) -> None:
    run(suite, "--junitxml=out.xml")

    cases = {case.attrib["name"]: case for case in ElementTree.parse("out.xml").iter("testcase")}

    assert cases["test_harness_broke"].find("error") is not None
    assert cases["test_harness_broke"].find("failure") is None
    assert cases["test_promise_broken"].find("failure") is not None


def test_crash_and_hang_have_words_of_their_own(suite: pytest.Pytester) -> None:
    result = run(suite, "-v")

    result.stdout.fnmatch_lines(["*test_guest_died CRASH*", "*test_guest_hangs HANG*"])
