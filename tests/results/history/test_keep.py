# SPDX-License-Identifier: Apache-2.0
"""A run is kept as it was, once, in SQLite and in PostgreSQL."""

from dataclasses import replace

import pytest
from history_scene import TEST, WHERE, run_on
from sqlalchemy import func, select

from harness.base.errors import InputError
from harness.base.result import Result
from harness.results import Case, Run
from harness.results.history import History, list_runs, open_history
from harness.results.history.tables import OUTCOMES, RUNS


def rows(history: History) -> tuple[int, int]:
    """How many runs, and how many outcomes, the database has."""
    with history.read() as connection:
        counts = [connection.scalar(select(func.count()).select_from(t)) for t in (RUNS, OUTCOMES)]
    return counts[0] or 0, counts[1] or 0


def test_a_run_comes_back_as_it_was(history: History) -> None:
    run = run_on(1, "FAIL", series=("a.patch", "b.patch"))

    history.add(run)

    assert history.run(run.id) == run


def test_a_run_comes_back_after_the_database_was_opened_again(url: str) -> None:
    run = run_on(1)
    open_history(url).add(run)

    assert open_history(url).run(run.id) == run


def test_a_run_is_found_by_its_job(history: History) -> None:
    run = run_on(1)

    history.add(run, "nightly/1")

    assert (history.run_of("nightly/1"), history.run_of("nightly/2")) == (run, None)


def test_the_same_run_is_not_counted_twice(history: History) -> None:
    run = run_on(1)

    assert [history.add(run), history.add(run, "job")] == [True, False]
    assert rows(history) == (1, 2)


def test_a_second_run_of_the_same_job_is_not_kept(history: History) -> None:
    assert [history.add(run_on(1), "job"), history.add(run_on(2), "job")] == [True, False]
    assert rows(history) == (1, 2)


def test_runs_without_a_job_are_all_kept(history: History) -> None:
    assert [history.add(run_on(1)), history.add(run_on(2))] == [True, True]


def test_a_run_without_tests_is_kept(history: History) -> None:
    run = replace(run_on(1), tests=(), complete=False)

    history.add(run)

    assert history.run(run.id) == run


def test_a_run_with_the_same_test_twice_is_kept(history: History) -> None:
    run = run_on(1)
    twice = replace(run, tests=(*run.tests, *run.tests))

    history.add(twice)

    assert history.run(run.id) == twice


@pytest.mark.parametrize("message", ["a\0b", "half \udc80", "whole \U0001f512"])
def test_whatever_a_guest_printed_can_be_kept(history: History, message: str) -> None:
    run = replace(run_on(1), tests=(Case(TEST, Result.FAIL, message=message),))

    history.add(run)

    kept = history.run(run.id)
    assert kept is not None
    assert kept.tests[0].message[0] == message[0]


@pytest.mark.parametrize(
    "begin", ["2026-11-25T12:00:00.000+00:00", "2026-11-25T14:00:00+02:00", "2026-11-25T12:00:00"]
)
def test_a_moment_is_kept_in_utc(history: History, begin: str) -> None:
    history.add(replace(run_on(1), begin=begin))

    assert list_runs(history)[0].head.begin == "2026-11-25T12:00:00.000+00:00"


def test_a_moment_that_is_none_is_refused(history: History) -> None:
    with pytest.raises(InputError, match="expected a time in ISO 8601"):
        history.add(Run(WHERE, "yesterday", 1.0, (), ()))
