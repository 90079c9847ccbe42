# SPDX-License-Identifier: Apache-2.0
"""A test fails for what the oracles find in its guests, unless it says that it did that itself."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from python_process import run_python
from sample_suite import write_suite

SUITE = """
from dataclasses import dataclass
from types import SimpleNamespace
import pytest
from harness.base.violation import Violation
from harness.machine.qemu.journal import Journal
from harness.plugin.guests import guests_key
from harness.base.kreport import reports_in

LEAK, STALE = Violation(("B13",), "slot 7 is held by nobody"), Violation(("B4", "D1"), "old bytes")
WARNING = "[    1.000000] WARNING: CPU: 0 PID: 1 at mm/slub.c:1 f+0x0/0x0"

@dataclass
class Guests:
    live: list
    violations: list

    def examine(self, guest):
        return self.violations

@pytest.fixture(autouse=True)
def guests(request):
    def asked(marker): return [m.args for m in request.node.iter_markers(marker)]
    console = SimpleNamespace(reports=reports_in(line for (line,) in asked("says")))
    guest = SimpleNamespace(
        ending=None,
        closed=False,
        console=console,
        agent=SimpleNamespace(journal=Journal()),
        machine=SimpleNamespace(fence="a fence" if asked("fence") else None),
        fence_damage=lambda: [text for (text,) in asked("fell")],
        fence_refusals=lambda: [text for (text,) in asked("refused")],
    )
    for name, value in asked("guest"):
        setattr(guest, name, value)
    request.node.stash[guests_key] = Guests([guest], [violation for (violation,) in asked("finds")])

mark = pytest.mark

def test_clean(): pass

@mark.property("B1")
@mark.finds(LEAK)
def test_leak(): pass

@mark.finds(LEAK)
@mark.finds(STALE)
def test_leak_and_old_bytes(): pass

@mark.finds(LEAK)
@mark.breaks("B13", "a slot is taken away")
def test_leak_on_purpose(): pass

@mark.finds(STALE)
@mark.breaks("D1", "memory is not zeroed")
def test_one_of_two_properties_on_purpose(): pass

@mark.finds(LEAK)
@mark.finds(STALE)
@mark.breaks("B13", "a slot is taken away")
def test_leak_on_purpose_and_old_bytes(): pass

@mark.breaks("B13", "a slot is taken away")
def test_nothing_after_all(): pass

@mark.finds(LEAK)
@mark.unexamined("it is too far gone")
def test_too_far_gone(): pass

@mark.finds(LEAK)
@mark.guest("closed", True)
def test_closed(): pass

@mark.finds(LEAK)
@mark.guest("ending", "reset")
def test_ended(): pass

@mark.says(WARNING)
def test_warning(): pass

@mark.says(WARNING)
@mark.expects_report("slub")
def test_expected_warning(): pass

@mark.finds(LEAK)
@mark.property("B2")
def test_failure_and_leak(): assert 1 == 2

@mark.fence()
def test_behind_a_fence(): pass

@mark.fence()
@mark.fell("CR0 is off")
def test_the_fence_fell(): pass

@mark.fence()
@mark.fell("CR0 is off")
@mark.disables("it switches it off")
def test_the_fence_fell_on_purpose(): pass

@mark.fence()
@mark.disables("it switches it off")
def test_the_fence_did_not_fall(): pass

@mark.fence()
@mark.refused("rogue0 read 0x4000")
def test_something_was_refused(): pass

@mark.fence()
@mark.refused("rogue0 read 0x4000")
@mark.tries("a secret")
def test_something_was_refused_on_purpose(): pass

@mark.fence()
@mark.tries("a secret")
def test_nothing_was_refused(): pass

@mark.refused("rogue0 read 0x4000")
def test_without_a_fence(): pass
"""

PASSED = ("", set[str]())

LEAKED = "B13 violated: slot 7 is held by nobody"

EXPECTED = {
    "test_clean": PASSED,
    "test_leak": ("slot 7 is held by nobody", {"B13"}),
    "test_leak_and_old_bytes": ("old bytes", {"B13", "B4", "D1"}),
    "test_leak_on_purpose": PASSED,
    "test_one_of_two_properties_on_purpose": PASSED,
    "test_leak_on_purpose_and_old_bytes": ("old bytes", {"B4", "D1"}),
    "test_nothing_after_all": ("no oracle found B13 violated, but the test has the marker", set()),
    "test_too_far_gone": PASSED,
    "test_closed": PASSED,
    "test_ended": PASSED,
    "test_warning": (
        "the kernel reported WARNING in f: WARNING: CPU: 0 PID: 1 at mm/slub.c:1",
        set(),
    ),
    "test_expected_warning": PASSED,
    "test_failure_and_leak": (
        "the oracles also report: B13 violated: slot 7 is held by nobody",
        {"B2"},
    ),
    "test_behind_a_fence": PASSED,
    "test_the_fence_fell": ("the fence is not intact: CR0 is off", {"FENCE"}),
    "test_the_fence_fell_on_purpose": PASSED,
    "test_the_fence_did_not_fall": ("the fence is intact, but the test has the marker", set()),
    "test_something_was_refused": ("1 accesses were refused, the first: rogue0 read", {"B1"}),
    "test_something_was_refused_on_purpose": PASSED,
    "test_nothing_was_refused": ("the fence refused nothing, but the test has the marker", set()),
    "test_without_a_fence": PASSED,
}
"""For each test of the sample what its failure says, and which properties it calls broken."""


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ElementTree.Element]:
    root: Path = tmp_path_factory.mktemp("sample")
    write_suite(root, SUITE)
    run_python(["-m", "pytest", "--keep=none", "--junitxml=out.xml", "harness"], cwd=root)
    found = ElementTree.parse(root / "out.xml").iter("testcase")
    return {case.attrib["name"]: case for case in found}


@pytest.mark.parametrize("name", EXPECTED)
def test_each_test_ends_as_it_should(cases: dict[str, ElementTree.Element], name: str) -> None:
    failure = cases[name].find("failure")
    properties = [one.attrib for one in cases[name].iter("property")]

    said, broken = EXPECTED[name]
    assert (failure is None) == (said == "")
    assert failure is None or said in (failure.text or "")
    assert {one["value"] for one in properties if one["name"] == "broken"} == broken
