# SPDX-License-Identifier: Apache-2.0
"""The last result of every VM test is kept, and sums up to a property's state."""

from pathlib import Path

import pytest

from harness.base.properties import NOT_GUARANTEED, PROPERTIES
from harness.cli import main
from harness.results.last import LastResult, add_results, read_results

B1 = "harness/suite/properties/test_streaming.py::test_every_mapping_lies_in_the_pool"
PASSED = LastResult("PASS", "6.12.117", "2026-11-22T10:00:00+00:00")
FAILED = LastResult("FAIL", "6.1.192", "2026-11-23T10:00:00+00:00")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))


def test_there_are_no_results_before_the_first_run() -> None:
    assert read_results() == {}


def test_a_run_replaces_the_results_of_its_own_tests_only() -> None:
    add_results({"a": PASSED, "b": PASSED})

    add_results({"b": FAILED})

    assert read_results() == {"a": PASSED, "b": FAILED}


def test_every_property_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    main(["properties"])

    printed = capsys.readouterr().out
    rows = {line.split("│")[1].strip() for line in printed.splitlines() if line.startswith("│")}
    assert rows - {""} == {*PROPERTIES, *NOT_GUARANTEED}


def test_the_worst_of_its_tests_is_the_state_of_a_property(
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_results({f"{B1}[probe-a]": PASSED, f"{B1}[probe-b]": FAILED, f"{B1}[pci]": PASSED})

    main(["properties"])

    (row,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("│ B1 "))
    assert "FAIL 6.1.192 2026-11-23" in row
