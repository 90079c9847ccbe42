# SPDX-License-Identifier: Apache-2.0
"""Cases of the fuzzer as data: written, read again, made from a seed."""

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from harness.base.errors import InputError
from harness.jobs.fuzz import (
    ConfigSetting,
    Corpus,
    FieldMutation,
    FuzzCase,
    FuzzStep,
    Symptom,
    load_case,
)
from harness.jobs.fuzz.campaign import Campaign, case_number
from harness.jobs.fuzz.corpus import save_finding
from harness.jobs.fuzz.mutate import SEEDS, next_case
from harness.jobs.fuzz.record import Record
from harness.jobs.fuzz.run import check
from harness.machine.shape import NO_POOL

CASE = FuzzCase(
    "blk",
    (
        FuzzStep("plug"),
        FuzzStep("read", 3, (FieldMutation(0, "length", 0xFFFF_FFFF), FieldMutation(1, "data", 7))),
    ),
    (ConfigSetting("capacity", 1024),),
    NO_POOL,
)

NOTHING = Record((), ("plug: 0",), frozenset(), ("a line",))


def many(seed: int) -> list[FuzzCase]:
    """A hundred cases, each of which may be made from the ones before."""
    cases: list[FuzzCase] = []
    for number in range(100):
        cases.append(next_case(Random(f"{seed}/{number}"), cases))
    return cases


def test_a_case_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "case.json"

    path.write_text(CASE.text())

    assert load_case(path) == CASE


def test_a_file_with_the_old_name_of_mutations_is_the_same_case(tmp_path: Path) -> None:
    path = tmp_path / "case.json"

    path.write_text(CASE.text().replace('"mutations"', '"lies"'))

    assert load_case(path) == CASE


def test_a_finding_is_a_case_too(tmp_path: Path) -> None:
    path = save_finding(tmp_path, CASE, Symptom("data", "bytes"), NOTHING, "6.12")

    assert load_case(path) == CASE
    assert '"seen": "data: bytes"' in path.read_text()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"blk"', '"net"'),
        ("0: length=0xffffffff", "length of request 0"),
        ("capacity=0x400", "capacity"),
        ('"steps"', '"stairs"'),
        ("{", "["),
    ],
)
def test_what_is_no_case_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "case.json"
    path.write_text(CASE.text().replace(old, new, 1))

    with pytest.raises(InputError):
        load_case(path)


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (FuzzStep("read"),),
        (FuzzStep("plug"), FuzzStep("plug")),
        (FuzzStep("plug"), FuzzStep("dance")),
    ],
    ids=str,
)
def test_a_case_that_cannot_be_run_is_refused(steps: tuple[FuzzStep, ...]) -> None:
    with pytest.raises(InputError):
        check(replace(CASE, steps=steps))


def test_the_same_seed_makes_the_same_cases() -> None:
    assert many(1) == many(1)
    assert many(1) != many(2)


def test_every_case_that_is_made_can_be_run_and_written() -> None:
    for case in many(3):
        check(case)
        assert FuzzCase.from_json(case.to_json()) == case


def test_cases_differ_from_the_honest_ones() -> None:
    mutated = [case for case in many(4) if case not in SEEDS]

    assert len(mutated) > 90
    assert len({one.field for case in mutated for one in case.mutations}) > 15


def test_a_campaign_makes_a_case_from_its_seed_number_and_corpus(tmp_path: Path) -> None:
    campaign = Campaign(1, 1, 7, 1, tmp_path, NO_POOL)
    corpus = Corpus(tmp_path / "corpus")

    assert case_number(campaign, 5, corpus) == case_number(campaign, 5, corpus)
    assert case_number(campaign, 5, corpus).shape == NO_POOL


def test_a_corpus_keeps_each_case_once(tmp_path: Path) -> None:
    corpus = Corpus(tmp_path)

    corpus.add(CASE)
    corpus.add(CASE)

    assert Corpus(tmp_path).cases == (CASE,)
