# SPDX-License-Identifier: Apache-2.0
"""Failures that are kept have limits of their own: age, number and size."""

import os
import time
from pathlib import Path

import pytest
from cache_entries import DAY

from harness.base.cache.budget import VARIABLE
from harness.base.cache.evict import (
    FAILURE_AGE,
    MOST_FAILURES,
    added,
)
from harness.base.cache.layout import FAILURES
from harness.base.cache.lease import lease
from harness.base.space import KIB

pytestmark = pytest.mark.usefixtures("cache")


def failures(cache: Path, number: int, size: int = 10 * KIB, age: float = 0) -> list[Path]:
    """Failures, the first the oldest."""
    made = []
    for one in range(number):
        directory = cache / FAILURES / f"failure-{age}-{one}"
        directory.mkdir(parents=True)
        (directory / "memory.elf").write_bytes(os.urandom(size))
        os.utime(directory, (time.time() - age - number + one,) * 2)
        made.append(directory)
    return made


def test_failures_have_an_eighth_of_the_budget(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "1M")
    made = failures(cache, 10, 24 * KIB)

    added(made[-1])

    assert [path.is_dir() for path in made] == [False] * 6 + [True] * 4


def test_an_old_failure_goes(cache: Path) -> None:
    (old,) = failures(cache, 1, age=FAILURE_AGE)
    (new,) = failures(cache, 1, age=FAILURE_AGE - DAY)

    added(new)

    assert [path.is_dir() for path in (old, new)] == [False, True]


def test_the_oldest_of_too_many_failures_goes(cache: Path) -> None:
    made = failures(cache, MOST_FAILURES + 1, 0)

    added(made[-1])

    assert [path.is_dir() for path in made[:2]] == [False, True]


def test_a_failure_that_somebody_looks_at_stays(cache: Path) -> None:
    (old,) = failures(cache, 1, age=FAILURE_AGE)
    lease(old)

    added(old)

    assert old.is_dir()
