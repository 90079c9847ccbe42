# SPDX-License-Identifier: Apache-2.0
"""The order of tests follows from which tests failed on each mutant, and how long they took."""

import json
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.jobs.mutants import read_mutants
from harness.results.identity import files_behind
from harness.results.kills import KILLS, best_order, read_kills


@pytest.mark.parametrize(
    ("kills", "order"),
    [
        ({"1": {"slow": 4.0, "quick": 1.0}}, ["quick"]),
        ({"1": {"many": 1.0}, "2": {"many": 1.0, "one": 0.6}}, ["many"]),
        ({"1": {"many": 9.0, "one": 1.0}, "2": {"many": 9.0, "two": 2.0}}, ["one", "two"]),
        ({"1": {"a": 1.0}, "2": {"b": 1.0}, "3": {"b": 1.0}}, ["b", "a"]),
        ({"1": {"b": 1.0, "a": 1.0}}, ["a"]),
        ({"1": {"instant": 0.0}, "2": {"many": 0.2}, "3": {"many": 0.2}}, ["many", "instant"]),
        ({"survivor": {}}, []),
        ({}, []),
    ],
    ids=["time", "number", "rate", "most", "by name", "too short to say", "survivor", "nothing"],
)
def test_best_order(kills: dict[str, dict[str, float]], order: list[str]) -> None:
    assert [*best_order(kills)] == order


def test_every_kept_mutant_exists() -> None:
    assert {*read_kills()} <= {one.name for one in read_mutants()}


def test_every_kept_test_is_in_a_file_of_the_suite() -> None:
    files = {test.partition("::")[0] for row in read_kills().values() for test in row}
    assert not [file for file in files if not (CHECKOUT / file).is_file()]


def test_file_is_as_it_is_written() -> None:
    assert KILLS.read_text() == json.dumps(read_kills(), indent=1) + "\n"


def test_no_verdict_depends_on_the_order() -> None:
    assert KILLS not in files_behind()


def test_a_damaged_file_says_so_and_orders_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "kills.json"
    damaged.write_text("<<<<<<< HEAD")
    said: list[str] = []
    monkeypatch.setattr("harness.results.kills.KILLS", damaged)
    monkeypatch.setattr("harness.results.kills.say", said.append)

    assert read_kills() == {}
    assert "is damaged" in said[0]
