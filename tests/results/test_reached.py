# SPDX-License-Identifier: Apache-2.0
"""Which tests reach a function is kept in the checkout, and names tests that exist."""

from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.results.identity import files_behind
from harness.results.reached import REACHED, Reached, keep_reached, read_reached

MOST_BYTES = 64 << 10

TESTS = [f"harness/suite/test_a.py::test_{number}" for number in range(8)]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "reached.json"
    monkeypatch.setattr("harness.results.reached.REACHED", path)
    return path


@pytest.mark.usefixtures("file")
def test_functions_that_few_tests_reach_are_kept() -> None:
    rare = {"swiotlb_free": frozenset(TESTS[:2]), "dmam_alloc_attrs": frozenset(TESTS[1:2])}
    common = {"swiotlb_map": frozenset(TESTS), "swiotlb_bounce": frozenset(TESTS[:3])}

    keep_reached(Reached("6.12.117", {**rare, **common}))

    assert read_reached() == Reached("6.12.117", rare)


@pytest.mark.parametrize("text", [None, "", "<<<<<<< HEAD\n{}\n"])
def test_nothing_is_known_without_a_file_that_can_be_read(file: Path, text: str | None) -> None:
    if text is not None:
        file.write_text(text)

    assert read_reached() == Reached()


def test_every_test_that_is_named_exists() -> None:
    named = sorted(frozenset().union(*read_reached().functions.values()))

    gone = [test for test in named if not _exists(test)]

    assert named
    assert gone == [], "rename or remove them, or call: harness coverage --keep-reached"


def _exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = CHECKOUT / file
    return path.is_file() and f"def {name}(" in path.read_text()


def test_no_verdict_depends_on_it() -> None:
    assert REACHED not in files_behind()


def test_the_file_stays_small() -> None:
    assert REACHED.stat().st_size < MOST_BYTES
