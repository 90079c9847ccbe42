# SPDX-License-Identifier: Apache-2.0
"""The fuzzer on real guests: it sees what is planted, and nothing where all is well."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.jobs.fuzz import FieldMutation, FuzzCase, FuzzStep, load_case, run_case
from harness.jobs.fuzz.campaign import minimise_and_save
from harness.jobs.fuzz.work import READ, WORK, FuzzWork
from harness.machine.environment import Environment

pytestmark = pytest.mark.any_kernel("what the fuzzer sees")

PLANTED = "planted"
"""The name of a piece of work that is bad in itself."""

HARMLESS = FuzzCase(
    "rng",
    (
        FuzzStep("plug"),
        FuzzStep(
            "read", 7, (FieldMutation(0, "length", 0xFFFF_FFFF), FieldMutation(1, "data", 0xEE))
        ),
        FuzzStep("read", 7),
    ),
)


def plant(monkeypatch: pytest.MonkeyPatch, command: str) -> FuzzCase:
    """A case with work that is bad in itself."""
    monkeypatch.setitem(WORK["rng"], PLANTED, FuzzWork(lambda _, __: command, reads=True))
    return FuzzCase("rng", (FuzzStep("plug"), FuzzStep("read"), FuzzStep(PLANTED)))


def test_a_harmless_mutation_has_no_symptom(environment: Environment) -> None:
    """A driver that believes a mutated answer gets nothing but the device's bytes."""
    record = run_case(environment, HARMLESS)

    assert record.steps == ("plug: 0", "read: 0", "read: 0", "unbind: 0")
    assert (record.symptoms, record.fault) == ((), "")


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
    environment: Environment, monkeypatch: pytest.MonkeyPatch, command: str, seen: str
) -> None:
    """Bytes that are not the device's, a kernel's report and a guest's end are findings."""
    record = run_case(environment, plant(monkeypatch, command))

    (only,) = record.symptoms
    assert re.match(seen, str(only))


@pytest.mark.nightly("a dozen guests")
def test_a_finding_is_made_small_and_can_be_replayed(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """From a case with much that does not matter, a file with what does."""
    bad = plant(monkeypatch, f"echo secret > {READ}")
    noisy = replace(bad, steps=(*HARMLESS.steps, *bad.steps[1:], FuzzStep("rebind")))
    record = run_case(environment, noisy)

    found = minimise_and_save(environment, noisy, record.symptoms[0], record, tmp_path)

    least = load_case(found.path)
    assert least == FuzzCase("rng", (FuzzStep("plug"), FuzzStep(PLANTED)))
    assert [seen.signature for seen in run_case(environment, least).symptoms] == [found.name]
