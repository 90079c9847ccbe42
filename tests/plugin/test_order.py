# SPDX-License-Identifier: Apache-2.0
"""Tests that find most bugs come first, with and without pytest-xdist; pytest's options hold."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from python_process import run_python

from harness.base.paths import CHECKOUT
from harness.results.reached import read_reached, without_parameters

SAMPLE = """
import pytest

@pytest.mark.parametrize("number", range(70))
def test_other(number): assert number != 69

@pytest.mark.parametrize("number", range(8))
def test_kills(number): pass
"""

ASKED_FOR = """
@pytest.mark.property("B7", "B9")
def test_asked_for(): pass
"""

CONFTEST = """
from pathlib import Path
import harness.results.kills
import harness.results.reached
harness.results.kills.KILLS = Path(__file__).with_name("kills.json")
harness.results.reached.REACHED = Path(__file__).with_name("reached.json")
"""

FILE = "harness/suite/test_sample.py"

KILLERS = [f"test_kills[{number}]" for number in (3, 0, 1, 2, 4, 5, 6, 7)]
"""The first kills two mutants."""

_ENDED = re.compile(r"(?:\[(gw\d)\] \[ *\d+%\] (?:PASSED|FAILED) )?\S+::(\S+)", re.MULTILINE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    kills = {f"0{number}": {f"{FILE}::{name}": 1.0} for number, name in enumerate(KILLERS)}
    kills |= {"98": kills["00"], "99": {f"{FILE}::test_gone": 9.0}}
    (tmp_path / "kills.json").write_text(json.dumps(kills))
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(SAMPLE)
    return tmp_path


def ended(folder: Path, *words: str) -> Sequence[tuple[str, str]]:
    """Worker and name of each test, in the order in which they ended."""
    command = ["-m", "pytest", "-v", "--color=no", "--tb=no", "-rN", *words, "harness"]
    env = {**os.environ, "HARNESS_CACHE": str(folder / "cache")}
    done = run_python(command, cwd=folder, env=env)
    lines = (line for line in done.stdout.splitlines() if "PASSED" in line or "FAILED" in line)
    return [(found[1] or "", found[2]) for line in lines if (found := _ENDED.match(line))]


def names(folder: Path, *words: str) -> list[str]:
    return [name for _, name in ended(folder, *words)]


def test_those_that_find_most_bugs_come_first_and_the_others_as_they_stand(folder: Path) -> None:
    others = [f"test_other[{number}]" for number in range(70)]
    assert names(folder) == [*KILLERS, *others]


def test_tests_with_several_cpus_stand_apart(folder: Path) -> None:
    sample = f"{SAMPLE}\n@pytest.mark.parametrize('cpus', [1, 2, 4, 8])\ndef test_smp(cpus): pass\n"
    (folder / FILE).write_text(sample)

    found = names(folder)

    places = [found.index(f"test_smp[{cpus}]") for cpus in (2, 4, 8)]
    assert places == [len(KILLERS) + number * 74 // 4 for number in (1, 2, 3)]


def test_no_worker_gets_all_of_the_first(folder: Path) -> None:
    workers = {worker for worker, name in ended(folder, "-n", "2") if name in KILLERS}
    assert workers == {"gw0", "gw1"}


def test_number_of_tests_at_once_may_be_chosen(folder: Path) -> None:
    found = ended(folder, "-n", "2", "--maxschedchunk=8")
    assert len({worker for worker, name in found if name in KILLERS}) == 1


def test_failed_first_comes_before_them(folder: Path) -> None:
    names(folder)
    assert names(folder, "--failed-first")[:2] == ["test_other[69]", KILLERS[0]]


def test_last_failed_leaves_the_others_out(folder: Path) -> None:
    names(folder)
    assert names(folder, "--last-failed") == ["test_other[69]"]


def test_chosen_tests_are_sorted_too(folder: Path) -> None:
    assert names(folder, "-k", "5") == ["test_kills[5]", *(f"test_other[{n}]" for n in chosen())]


def chosen() -> list[int]:
    return [number for number in range(70) if "5" in str(number)]


def test_nothing_is_sorted_without_what_is_known(folder: Path) -> None:
    (folder / "kills.json").unlink()
    assert names(folder)[:2] == ["test_other[0]", "test_other[1]"]


def test_tests_of_a_property_that_is_asked_for_come_first(folder: Path) -> None:
    (folder / FILE).write_text(SAMPLE + ASKED_FOR)

    found = names(folder, "--first=B9", "--first=A1")

    assert found[0] == "test_asked_for"
    assert found[1 : 1 + len(KILLERS)] == KILLERS


def test_tests_that_reach_a_function_that_is_asked_for_come_first(folder: Path) -> None:
    reach(folder, swiotlb_free=["test_kills", "test_other"], dmam_alloc_attrs=["test_other"])

    assert names(folder, "--first=dmam_alloc_attrs")[0] == "test_other[0]"


def test_tests_that_are_gone_or_not_measured_move_no_other_and_none_is_lost(folder: Path) -> None:
    (folder / FILE).write_text(SAMPLE + ASKED_FOR)
    reach(folder, swiotlb_free=["test_gone"], dmam_alloc_attrs=["test_gone", "test_other"])

    found = names(folder, "--first=swiotlb_free", "--first=dmam_alloc_attrs")

    others = [f"test_other[{number}]" for number in range(70)]
    assert found == [*others, *KILLERS, "test_asked_for"]


def test_tests_of_the_rarest_function_or_property_come_first(folder: Path) -> None:
    (folder / FILE).write_text(SAMPLE + ASKED_FOR)
    reach(folder, swiotlb_free=["test_other"], swiotlb_map=["test_kills", "test_other"])

    found = names(folder, "--first=swiotlb_map", "--first=swiotlb_free", "--first=B9")

    others = [f"test_other[{number}]" for number in range(70)]
    assert found == ["test_asked_for", *others, *KILLERS]


def test_all_workers_sort_alike(folder: Path) -> None:
    reach(folder, dmam_alloc_attrs=["test_other"])

    assert names(folder, "-n", "2", "--first=dmam_alloc_attrs")[0].startswith("test_other")


@pytest.mark.parametrize("function", ["rmem_swiotlb_device_release", "dmam_alloc_attrs"])
def test_tests_of_the_suite_that_reach_a_function_really_come_first(function: str) -> None:
    reaching = read_reached().functions[function]
    command = ["-m", "pytest", "--collect-only", "-q", f"--first={function}", "harness"]

    done = run_python(command, cwd=CHECKOUT)

    collected = [line for line in done.stdout.splitlines() if "::" in line]
    chosen = [without_parameters(test) in reaching for test in collected]
    assert any(chosen)
    assert chosen == sorted(chosen, reverse=True)


def reach(folder: Path, **functions: Sequence[str]) -> None:
    """Write which test functions of the sample reach which kernel function."""
    found: dict[str, list[str]] = {}
    for function, tests in functions.items():
        for test in tests:
            found.setdefault(f"{FILE}::{test}", []).append(function)
    known = {test: " ".join(some) for test, some in found.items()}
    (folder / "reached.json").write_text(json.dumps({"release": "6.12.1", "tests": known}))
