# SPDX-License-Identifier: Apache-2.0
"""A pool that grew, or another one that worked instead, is found by its numbers."""

from dataclasses import replace

import pytest
from oracle_scene import POOL, ids, using

from harness.base.violation import PropertyViolated, Violation
from harness.devices.oracles.allocators import grown, worked_instead
from harness.observe.memory import PoolState


def test_a_pool_with_its_own_memory_alone_has_not_grown() -> None:
    assert not list(grown(POOL))


def test_a_pool_that_has_grown_is_found() -> None:
    assert ids(grown(replace(POOL, total_nslabs=128))) == [("E16",)]


@pytest.mark.parametrize(
    "after",
    [replace(POOL, used=1), replace(POOL, hiwater=1), replace(POOL, total_nslabs=128)],
    ids=["in use", "was in use", "grew"],
)
def test_a_default_pool_that_worked_instead_is_found(after: PoolState) -> None:
    assert ids(worked_instead(POOL, after)) == [("E3",)]


def test_a_default_pool_that_did_nothing_is_not() -> None:
    assert not list(worked_instead(using(3), using(3)))


def test_a_failure_names_each_broken_property_once() -> None:
    failure = PropertyViolated(*[Violation(("B13",), "one"), Violation(("B13", "E17"), "two")])

    assert failure.ids == ("B13", "E17")
    assert str(failure) == "B13 violated: one\nB13 E17 violated: two"
