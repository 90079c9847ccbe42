# SPDX-License-Identifier: Apache-2.0
"""A failed property test says what a kernel developer needs, in the terminal and in JUnit alike."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest
from python_process import run_python
from sample_suite import write_suite

from harness.base.properties import PROPERTIES

SUITE = """
from types import SimpleNamespace
import pytest
from harness.base.violation import PropertyViolated, Violation
from harness.devices.probe import MappingError
from harness.machine.qemu.journal import Journal
from harness.plugin.guests import Guests, guests_key

CALL = "dma_map_single(probe-a, 0x41485000, 64, DMA_TO_DEVICE) = 0x41485000"

@pytest.fixture(autouse=True)
def guests(request):
    journal = Journal()
    journal.append(CALL)
    agent = SimpleNamespace(journal=journal)
    console = SimpleNamespace(reports=[])
    machine = SimpleNamespace(fence=None)
    guest = SimpleNamespace(
        agent=agent, console=console, machine=machine, closed=False, ending="over"
    )
    request.node.stash[guests_key] = Guests(live=[guest])

def contains(address, size): return False

@pytest.mark.property("B1")
@pytest.mark.parametrize("size", [64], ids=["64 bytes"])
def test_assertion(size, monkeypatch):
    monkeypatch.setattr("harness.plugin.failures.live_memory", nowhere)
    assert contains(1095258112, size)

def nowhere(guest):
    from harness.base.errors import AddressError
    raise AddressError("no memory")

@pytest.mark.property("B12")
def test_no_refusal(monkeypatch):
    monkeypatch.setattr("harness.plugin.failures.live_memory", nowhere)
    with pytest.raises(MappingError):
        pass

@pytest.mark.property("B11")
def test_refusal(monkeypatch):
    monkeypatch.setattr("harness.plugin.failures.live_memory", nowhere)
    raise MappingError("dma_map_single(64 bytes, TO_DEVICE)", 12)

@pytest.mark.property("B1")
def test_host():
    from harness.base.errors import HostError
    raise HostError("no space left on device (/dev/shm). Make room there.")

@pytest.mark.property("B3", control=True)
def test_control(monkeypatch):
    '''An unrestricted device sees what the CPU writes later.'''
    monkeypatch.setattr("harness.plugin.failures.live_memory", nowhere)
    assert contains(1, 2)

@pytest.mark.property("B5")
def test_told(monkeypatch):
    monkeypatch.setattr("harness.plugin.failures.live_memory", nowhere)
    told = Violation((), "unmap wrote the buffer.", expected="unchanged", observed="changed")
    raise PropertyViolated(told)
"""

CALL = "dma_map_single(probe-a, 0x41485000, 64, DMA_TO_DEVICE) = 0x41485000"

EXPECTED = {
    "test_assertion[64 bytes]": f"""\
B1 violated: {PROPERTIES["B1"]}
  driver     {CALL}
  expected   contains(0x41485000, size)
  observed   assert False
              +  where False = contains(0x41485000, 64)
  code       dma_direct_map_page(), kernel/dma/direct.h; swiotlb_map(), kernel/dma/swiotlb.c
  reproduce  scripts/run --tier=nightly -k "test_assertion" """.rstrip(),
    "test_no_refusal": f"""\
B12 violated: {PROPERTIES["B12"]}
  driver     {CALL}
  expected   with pytest.raises(MappingError):
  observed   DID NOT RAISE""",
    "test_refusal": "observed   dma_map_single(64 bytes, TO_DEVICE): the kernel said ENOMEM",
    "test_control": "B3 control failed: An unrestricted device sees what the CPU writes later.",
    "test_told": f"""\
B5 violated: unmap wrote the buffer.
  driver     {CALL}
  expected   unchanged
  observed   changed
  code       __swiotlb_tbl_unmap_single(), kernel/dma/swiotlb.c""",
}
"""By test: what its failure says."""


@dataclass(frozen=True)
class Run:
    """What a run of the sample printed, and its JUnit failures by test."""

    printed: str
    failures: dict[str, str]


@pytest.fixture(scope="module", params=[(), ("-n", "1")], ids=["alone", "xdist"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Run:
    root: Path = tmp_path_factory.mktemp("sample")
    write_suite(root, SUITE)
    options = ("--keep=none", "--tier=nightly", "--junitxml=out.xml")
    done = run_python(["-m", "pytest", *options, *request.param, "harness"], cwd=root)
    found = {
        case.attrib["name"]: failure.attrib["message"]
        for case in ElementTree.parse(root / "out.xml").iter("testcase")
        for failure in case.iter("failure")
    }
    return Run(done.stdout, found)


@pytest.mark.parametrize("test", EXPECTED)
def test_a_failure_reads_like_a_bug_report(run: Run, test: str) -> None:
    assert EXPECTED[test] in run.failures[test]
    assert EXPECTED[test] in run.printed


def test_of_the_host_the_error_is_told_without_the_lines_that_met_it(run: Run) -> None:
    assert "\nno space left on device (/dev/shm). Make room there.\n" in run.printed
    assert "def test_host" not in run.printed
