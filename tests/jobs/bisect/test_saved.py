# SPDX-License-Identifier: Apache-2.0
"""A bisection continues after a kill, and is not made again."""

from dataclasses import replace

import pytest
from bisections import Dying, positions
from validate_fakes import FAIL, PASS, REQUEST, FakeSuite, T

from harness.base.errors import HostError
from harness.jobs.bisect import bisect, kernels_to_ask
from harness.jobs.bisect.bisect import SavedSearch
from harness.jobs.bisect.search import Found
from harness.kernel import KernelSpec
from harness.kernel.patches.series import Series

pytestmark = pytest.mark.usefixtures("cache")


@pytest.mark.parametrize("lives", [2, 3])
@pytest.mark.parametrize("fault", [KeyboardInterrupt(), HostError("the disk is full")])
def test_an_interrupted_search_goes_on_where_it_was(
    series: Series, lives: int, fault: BaseException
) -> None:
    suite = FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, PASS]})
    with pytest.raises(type(fault)):
        bisect(positions(series), REQUEST, Dying(suite, lives, fault))
    before = len(suite.asked)

    bisection = bisect(positions(series), REQUEST, suite)

    assert (before, len(suite.asked)) == (lives, 4)
    assert bisection.found == Found(("3",))


def test_a_finished_search_is_not_made_again_unless_asked(series: Series) -> None:
    suite = FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, PASS]})
    first = bisect(positions(series), REQUEST, suite)
    asked = len(suite.asked)

    assert bisect(positions(series), REQUEST, suite) == first
    assert len(suite.asked) == asked
    bisect(positions(series), REQUEST, suite, again=True)
    assert len(suite.asked) == 2 * asked


def test_another_question_is_another_search(series: Series) -> None:
    space = positions(series)
    paths = {
        SavedSearch(space, REQUEST).path,
        SavedSearch(space, replace(REQUEST, words=())).path,
        SavedSearch(space, replace(REQUEST, tier="nightly")).path,
        SavedSearch(space, replace(REQUEST, spec=KernelSpec(flavour="kasan"))).path,
        SavedSearch(positions(series, bad=3), REQUEST).path,
    }

    assert len(paths) == 5


def test_a_file_that_was_cut_short_is_no_memory(series: Series) -> None:
    space = positions(series)
    path = SavedSearch(space, REQUEST).path
    path.parent.mkdir(parents=True)
    path.write_text('{"tests": ["a"], "ask')
    suite = FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, PASS]})

    assert bisect(space, REQUEST, suite).found == Found(("3",))


def test_the_kernels_that_are_left_to_ask_are_counted(series: Series) -> None:
    space, suite = positions(series), FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, PASS]})
    assert kernels_to_ask(space, REQUEST) == 4

    with pytest.raises(KeyboardInterrupt):
        bisect(space, REQUEST, Dying(suite, 3, KeyboardInterrupt()))
    assert kernels_to_ask(space, REQUEST) == 1

    bisect(space, REQUEST, suite)
    assert kernels_to_ask(space, REQUEST) == 0
    assert kernels_to_ask(space, REQUEST, again=True) == 4
