# SPDX-License-Identifier: Apache-2.0
"""What is evicted first, and how much: no more than it must."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.base.cache.evict import (
    evict,
    order,
    overdue,
)
from harness.base.cache.inventory import Item
from harness.base.cache.kinds import NEVER
from harness.base.cache.layout import FAILURES

NOW = 10_000.0

ITEMS = st.lists(
    st.builds(
        Item,
        kind=st.just("things"),
        path=st.uuids().map(lambda name: Path("/cache") / str(name)),
        size=st.integers(0, 100),
        used=st.integers(0, int(NOW)).map(float),
        worth=st.sampled_from([NEVER, 1.0, 4.0, 8.0]),
        first=st.booleans(),
    ),
    max_size=20,
)


@settings(deadline=None)
@given(items=ITEMS, excess=st.integers(-50, 1500), data=st.data())
def test_what_is_evicted_is_enough_no_more_and_in_order(
    items: list[Item], excess: int, data: st.DataObject
) -> None:
    busy = data.draw(st.sets(st.sampled_from(items))) if items else set()

    gone = list(evict(items, excess, NOW, lambda one: one not in busy))

    may = [one for one in order(items, NOW) if one not in busy]
    freed = sum(one.size for one in gone)
    assert gone == may[: len(gone)]
    assert freed >= excess or gone == may
    assert not gone or freed - gone[-1].size < excess


@settings(deadline=None)
@given(items=ITEMS)
def test_the_order_is_parked_guests_of_patched_kernels_then_last_use(items: list[Item]) -> None:
    ordered = order(items, NOW)

    assert {one.path for one in ordered} == {one.path for one in items if one.worth != NEVER}
    assert [one.first for one in ordered] == sorted((one.first for one in ordered), reverse=True)
    for worth in {one.worth for one in ordered}:
        for first in (False, True):
            used = [one.used for one in ordered if (one.worth, one.first) == (worth, first)]
            assert used == sorted(used)


@settings(deadline=None)
@given(sizes=st.lists(st.integers(0, 100), max_size=20), budget=st.integers(0, 2000))
def test_the_failures_that_are_left_are_the_newest_and_few_enough(
    sizes: list[int], budget: int
) -> None:
    made = [Item(FAILURES, Path(str(n)), size, float(n)) for n, size in enumerate(sizes)]

    gone = overdue(made, budget, len(sizes))

    assert gone == made[: len(gone)]
    assert sum(one.size for one in made[len(gone) :]) <= budget // 8
