# SPDX-License-Identifier: Apache-2.0
"""A property's state comes from the last runs on kernels without a series."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from history_scene import TEST, run_on

from harness.base.properties import NOT_GUARANTEED, PROPERTIES
from harness.base.result import Result
from harness.cli import main
from harness.results import Case
from harness.results.history import History, last_results, open_history

B1 = "harness/suite/properties/test_streaming.py::test_every_mapping_lies_in_the_pool"


def test_there_are_no_results_before_the_first_run(history: History) -> None:
    assert last_results(history) == {}


def test_the_newest_run_has_the_last_word(filled: Callable[..., History]) -> None:
    history = filled(run_on(2, "FAIL", release="6.1.192"), run_on(1, "PASS"))

    last = last_results(history)[TEST]

    assert (last.result, last.release, last.when[:10]) == (Result.FAIL, "6.1.192", "2026-11-02")


def test_a_run_with_a_series_says_nothing_of_the_kernel(filled: Callable[..., History]) -> None:
    history = filled(run_on(1, "PASS"), run_on(2, "FAIL", series=("a.patch",)))

    assert last_results(history)[TEST].result is Result.PASS


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))


@pytest.mark.usefixtures("own_cache")
def test_every_property_has_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    main(["properties"])

    printed = capsys.readouterr().out
    rows = {line.split("│")[1].strip() for line in printed.splitlines() if line.startswith("│")}
    assert rows - {""} == {*PROPERTIES, *NOT_GUARANTEED}


@pytest.mark.usefixtures("own_cache")
def test_the_worst_of_its_tests_is_the_state_of_a_property(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cases = [Case(f"{B1}[probe-a]", Result.PASS), Case(f"{B1}[probe-b]", Result.FAIL)]
    open_history().add(replace(run_on(3), tests=tuple(cases)))

    main(["properties"])

    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("│ B1 "))
    assert "FAIL 6.12.117 2026-11-03" in line
