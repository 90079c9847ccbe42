# SPDX-License-Identifier: Apache-2.0
"""The fuzzer on real guests: it sees what is planted, and nothing where all is well."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.jobs.fuzz import Case, Ground, Lying, Step, load_case, run_case
from harness.jobs.fuzz.campaign import write_down
from harness.jobs.fuzz.work import READ, WORK, Work
from harness.kernel import Initramfs, Kernel
from harness.machine.qemu.qemu import Qemu

PLANTED = "planted"
"""The name of a piece of work that is bad in itself."""

HARMLESS = Case(
    "rng",
    (
        Step("plug"),
        Step("read", 7, (Lying(0, "length", 0xFFFF_FFFF), Lying(1, "data", 0xEE))),
        Step("read", 7),
    ),
)

HELD = Case("rng", (Step("plug"), Step("read", 0, (Lying(0, "times", 0),)), Step("rebind")))


@pytest.fixture
def ground(qemu: Qemu, kernel: Kernel, initramfs: Initramfs) -> Ground:
    """What the guests of the fuzzer are made of."""
    return Ground(qemu, kernel, initramfs)


def plant(monkeypatch: pytest.MonkeyPatch, command: str) -> Case:
    """A case with work that is bad in itself."""
    monkeypatch.setitem(WORK["rng"], PLANTED, Work(lambda _, __: command, reads=True))
    return Case("rng", (Step("plug"), Step("read"), Step(PLANTED)))


def test_a_lie_that_does_no_harm_is_no_finding(ground: Ground) -> None:
    """A driver that believes its device's lies, and gets nothing but the device's bytes."""
    outcome = run_case(ground, HARMLESS)

    assert outcome.steps == ("plug: 0", "read: 0", "read: 0", "unbind: 0")
    assert (outcome.seen, outcome.fault) == ((), "")


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        (f"echo secret > {READ}", "data: planted gave 6 byte values"),
        pytest.param(
            "echo c > /proc/sysrq-trigger",
            "report: panic: .*sysrq triggered crash",
            marks=pytest.mark.nightly("one of each by day"),
        ),
        pytest.param(
            "poweroff -f", "end: power off", marks=pytest.mark.nightly("one of each by day")
        ),
    ],
    ids=["data", "report", "end"],
)
def test_what_must_not_be_is_seen(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, command: str, seen: str
) -> None:
    """Bytes that are not the device's, a kernel's report and a guest's end are findings."""
    outcome = run_case(ground, plant(monkeypatch, command))

    (only,) = outcome.seen
    assert re.match(seen, str(only))


@pytest.mark.property("B13")
@pytest.mark.finding(
    "virtio-rng-keeps-a-slot",
    kernels=">=6.1",
    sometimes="the device may answer before it is unbound",
)
def test_a_driver_that_is_unbound_gives_its_slots_back(ground: Ground) -> None:
    """A driver whose device still has a request when it goes takes no slot with it."""
    assert run_case(ground, HELD).seen == ()


@pytest.mark.nightly("a dozen guests")
def test_a_finding_is_made_small_and_can_be_replayed(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From a case with much that does not matter, a file with what does."""
    bad = plant(monkeypatch, f"echo secret > {READ}")
    noisy = replace(bad, steps=(*HARMLESS.steps, *bad.steps[1:], Step("rebind")))
    outcome = run_case(ground, noisy)

    found = write_down(ground, noisy, outcome.seen[0], outcome, tmp_path)

    least = load_case(found.path)
    assert least == Case("rng", (Step("plug"), Step(PLANTED)))
    assert [seen.signature for seen in run_case(ground, least).seen] == [found.name]
