# SPDX-License-Identifier: Apache-2.0
"""Bisection finds the patch of a series that breaks a test."""

import os
from collections.abc import Sequence
from dataclasses import replace

import pytest
from bisections import positions
from validate_fakes import FAIL, FULL_POOL, PASS, REQUEST, FakeSuite, T, U

from harness.base.errors import InputError
from harness.cli import main
from harness.jobs.bisect import Bisection, bisect, bisection_text
from harness.jobs.bisect.search import Found, Word
from harness.jobs.bisect.spaces import series_line
from harness.kernel import KernelSpec
from harness.kernel.patches.series import Series

pytestmark = pytest.mark.usefixtures("cache")


def searched(bisection: Bisection) -> list[tuple[str, Word]]:
    return list(bisection.state.known.items())


def test_the_patch_that_breaks_a_test_is_found(series: Series) -> None:
    suite = FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, PASS], U: [PASS] * 6})

    bisection = bisect(positions(series), REQUEST, suite)

    assert bisection.found == Found(("3",))
    assert searched(bisection) == [
        *[("0", Word.GOOD), ("4", Word.BAD), ("2", Word.GOOD), ("3", Word.BAD)],
    ]
    assert suite.asked == [(0, ()), (4, ()), (2, (T,)), (3, (T,))]


def test_the_report_has_the_patch_the_test_a_command_and_the_log(series: Series) -> None:
    suite = FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, PASS]})

    request = replace(REQUEST, qemu="/opt/qemu")
    text = bisection_text(bisect(positions(series), request, suite))

    flat = " ".join(text.split())
    assert (
        'The first bad kernel is patch 3/5 "swiotlb: do not fail a mapping that the device can do '
        'without". test_exhaustion.py::test_full[probe-a]: FAIL assert 65 == 64 '
        "harness debug /e/FAIL"
    ) in flat
    assert f"scripts/run --series={os.environ['HARNESS_CACHE']}" in text
    assert " --qemu=/opt/qemu " in text
    assert f"'{T}'" in text
    assert 'good patch 2/5 "swiotlb: drop' in flat


def test_a_kernel_that_cannot_be_built_is_skipped(series: Series) -> None:
    suite = FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, PASS]}, unbuildable=frozenset({2}))

    bisection = bisect(positions(series), REQUEST, suite)

    assert bisection.found == Found(("2", "3"))
    text = bisection_text(bisection)
    assert "one of these" in text
    assert "patch 2/5" in text


def test_a_test_without_a_result_skips_its_kernel(series: Series) -> None:
    suite = FakeSuite({T: [PASS, PASS, ["ERROR"], FAIL, FAIL, PASS]})

    assert bisect(positions(series), REQUEST, suite).state.known["2"] is Word.SKIP


@pytest.mark.parametrize("last", [PASS, ["ERROR"]])
def test_a_bad_kernel_that_is_not_bad_is_refused(series: Series, last: Sequence[str]) -> None:
    suite = FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, last]})

    with pytest.raises(InputError, match=r"no test passes on the base and fails on the other"):
        bisect(positions(series, bad=5), REQUEST, suite)


@pytest.mark.parametrize(("good", "bad"), [("4", "0"), ("0", "6"), ("x", "3"), ("2", "2")])
def test_positions_that_are_none_are_refused(series: Series, good: str, bad: str) -> None:
    with pytest.raises(InputError, match="0 is the base, 5 the series with all its patches"):
        series_line(KernelSpec(), series, good, bad)


def test_the_command_finds_the_patch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, PASS]})
    monkeypatch.setattr("harness.cli.choice.run_suite", lambda request, _: suite(request))

    assert main(["bisect", "0", "4", "full_pool", f"--series={FULL_POOL}"]) == 0
    assert "The first bad kernel is patch 3/5" in " ".join(capsys.readouterr().out.split())
