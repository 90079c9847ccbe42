# SPDX-License-Identifier: Apache-2.0
"""Since when a test fails, what changed then, how flaky it is, and how long it takes."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from history_scene import OTHER, TEST, WHERE, day, run_on

from harness.base.errors import InputError
from harness.results.history import (
    History,
    durations,
    find_run,
    find_test,
    flaky,
    list_runs,
    not_counted,
    regressions,
    run_seconds,
    standings,
    track_of,
)

Fill = Callable[..., History]

NEXT = {"source": "debian linux-source-6.12 6.12.118-1", "release": "6.12.118", "kernel_key": "k2"}


def test_a_test_fails_since_the_first_bad_run_after_the_last_good_one(filled: Fill) -> None:
    history = filled(*(run_on(n, r) for n, r in enumerate(["FAIL", "PASS", "HANG", "FAIL"], 1)))

    (found,) = standings(history, TEST)

    assert found.first_bad is not None
    assert found.last_good is not None
    assert (found.last_good.head.begin, found.first_bad.head.begin) == (day(2), day(3))
    assert (found.latest.result, found.bad, found.judged) == ("FAIL", 3, 4)


def test_runs_count_in_the_order_in_which_they_began(filled: Fill) -> None:
    ends = {2: "FAIL", 3: "FAIL", 1: "PASS"}
    history = filled(*(replace(run_on(n, r), id=f"{9 - n}") for n, r in ends.items()))

    (found,) = standings(history, TEST)

    assert found.first_bad is not None
    assert found.first_bad.head.begin == day(2)


@pytest.mark.parametrize("result", ["PASS", "KNOWN"])
def test_a_test_that_ended_well_does_not_fail(filled: Fill, result: str) -> None:
    (found,) = standings(filled(run_on(1, "FAIL"), run_on(2, result)), TEST)

    assert found.first_bad is None


@pytest.mark.parametrize("result", ["ERROR", "SKIP"])
def test_what_says_nothing_of_the_kernel_changes_nothing(filled: Fill, result: str) -> None:
    (found,) = standings(filled(run_on(1, "FAIL"), run_on(2, result)), TEST)

    assert (found.judged, found.latest.head.begin) == (1, day(1))


def test_a_new_version_of_the_same_package_goes_on_where_the_old_one_was(filled: Fill) -> None:
    (found,) = standings(filled(run_on(1), run_on(2, "FAIL", **NEXT)), TEST)

    assert found.last_good is not None


@pytest.mark.parametrize(
    "other",
    [
        {"flavour": "kasan"},
        {"series": ("a.patch",)},
        {"source": "debian linux-source-6.1 6.1.1-1"},
        {"qemu": "QEMU emulator version 10.0.2"},
    ],
)
def test_another_kind_of_kernel_or_qemu_is_told_apart(filled: Fill, other: dict[str, str]) -> None:
    found = standings(filled(run_on(1), run_on(2, "FAIL", **other)), TEST)

    assert [one.first_bad is None for one in found] == [False, True]


def test_clang_is_a_track_of_its_own_and_a_new_gcc_is_not() -> None:
    clang = replace(WHERE, compiler="Debian clang version 19.1.7")
    newer = replace(WHERE, compiler="aarch64-linux-gnu-gcc 13.2.0")

    assert track_of(clang) == replace(track_of(WHERE), compiler="clang")
    assert track_of(newer) == track_of(WHERE)


@pytest.mark.parametrize(
    ("source", "common"),
    [
        ("debian linux-source-6.12 6.12.118-1", "debian linux-source-6.12"),
        ("package sid/linux-image-arm64 6.12.118-1", "package sid/linux-image-arm64"),
        ("git /home/me/linux next (0123456789ab)", "git /home/me/linux next"),
        ("directory /home/me/my linux", "directory /home/me/my linux"),
        ("tarball /home/me/linux.tar", "tarball /home/me/linux.tar"),
    ],
)
def test_a_source_without_its_version_names_the_track(source: str, common: str) -> None:
    assert track_of(replace(WHERE, source=source)).source == common


def test_what_differs_between_the_last_good_and_the_first_bad_run(filled: Fill) -> None:
    history = filled(run_on(1), run_on(2, config="config2"), run_on(3, "FAIL", **NEXT))

    (found,) = regressions(history, TEST)

    assert found.good is not None
    assert (found.good.begin, found.bad.begin, found.same_track) == (day(2), day(3), True)
    differ = {one.field: (one.good, one.bad) for one in found.differences}
    assert differ["config"] == ("config2", "config1")
    assert list(differ) == ["release", "source", "config", "kernel_key"]


def test_a_series_that_breaks_a_test_is_what_changed(filled: Fill) -> None:
    far = run_on(1, config="config0", host="elsewhere")
    history = filled(far, run_on(2, "FAIL", series=("a.patch", "b.patch")), run_on(5))

    (found,) = regressions(history, TEST)

    assert found.good is not None
    assert (found.good.begin, found.same_track) == (day(5), False)
    assert [(one.field, one.bad) for one in found.differences] == [("series", "a.patch\nb.patch")]


def test_a_failure_that_is_over_is_said_to_be(filled: Fill) -> None:
    history = filled(*(run_on(n, r) for n, r in enumerate(["PASS", "FAIL", "FAIL", "PASS"], 1)))

    (found,) = regressions(history, TEST)

    assert (found.bad.begin, found.over) == (day(2), True)


def test_a_test_that_was_never_good_has_nothing_to_compare_with(filled: Fill) -> None:
    (found,) = regressions(filled(run_on(1, "FAIL")), TEST)

    assert (found.good, found.differences) == (None, ())


def test_a_test_that_never_failed_did_not_change(filled: Fill) -> None:
    assert regressions(filled(run_on(1), run_on(2, "ERROR")), TEST) == []


def test_different_ends_on_the_same_kernel_are_flaky(filled: Fill) -> None:
    history = filled(*(run_on(n, r) for n, r in enumerate(["PASS", "FAIL", "PASS", "ERROR"], 1)))

    (found,) = flaky(history)

    assert (found.test, found.results) == (TEST, {"PASS": 2, "FAIL": 1, "ERROR": 1})
    assert (found.odd, found.times) == (2, 4)


@pytest.mark.parametrize(
    "other", [{"kernel_key": "k2"}, {"harness": "v2"}, {"qemu": "QEMU emulator version 10"}]
)
def test_different_ends_of_different_code_are_not_flaky(
    filled: Fill, other: dict[str, str]
) -> None:
    assert flaky(filled(run_on(1), run_on(2, "FAIL", **other))) == []


@pytest.mark.parametrize("harness", ["v1-3-gabc-dirty", "unknown"])
def test_code_that_nobody_knows_is_not_called_flaky_but_counted(filled: Fill, harness: str) -> None:
    history = filled(run_on(1, harness=harness), run_on(2, "FAIL", harness=harness), run_on(3))

    assert (flaky(history), not_counted(history)) == ([], 2)


def test_a_skipped_test_is_not_flaky(filled: Fill) -> None:
    assert flaky(filled(run_on(1), run_on(2, "SKIP"))) == []


def test_flaky_tests_can_be_asked_for_by_name(filled: Fill) -> None:
    history = filled(run_on(1), run_on(2, "FAIL"))

    assert [len(flaky(history, test)) for test in (TEST, OTHER)] == [1, 0]


def test_durations_are_those_of_the_last_runs_the_oldest_first(filled: Fill) -> None:
    history = filled(*(run_on(number) for number in (4, 1, 3, 2)))

    found = {one.test: one for one in durations(history, last=3)}

    assert found[TEST].seconds == (2.0, 3.0, 4.0)
    assert found[TEST].median == 3.0
    assert list(found) == [TEST, OTHER]


def test_a_test_that_came_to_no_end_has_no_duration(filled: Fill) -> None:
    assert durations(filled(run_on(1, "SKIP"), run_on(2, "ERROR")), TEST) == []


def test_the_time_of_a_run_is_the_median_of_those_of_the_same_tests(filled: Fill) -> None:
    runs = [replace(run_on(n), seconds=s) for n, s in enumerate((10.0, 30.0, 20.0), 1)]
    runs.append(replace(run_on(4), seconds=1.0, complete=False))
    runs.append(replace(run_on(5), seconds=2.0, words=("--tier=nightly",)))
    runs.append(replace(run_on(6, flavour="kasan"), seconds=3.0))

    history = filled(*runs)

    assert run_seconds(history, ("--tier=default",)) == 20.0
    assert run_seconds(history, ("--tier=default",), "kasan") == 3.0
    assert run_seconds(history, ("--tier=default",), "lockdep") is None


def test_runs_are_listed_with_the_newest_first(filled: Fill) -> None:
    history = filled(run_on(1), run_on(3, "FAIL"), run_on(2))

    found = list_runs(history, 2)

    assert [one.head.begin for one in found] == [day(3), day(2)]
    assert found[0].results == {"FAIL": 1, "PASS": 1}


@pytest.mark.parametrize("words", ["test_b", "test_b[edu", "*::test_b*"])
def test_a_test_is_found_by_what_only_it_has(filled: Fill, words: str) -> None:
    assert find_test(filled(run_on(1)), words) == TEST


@pytest.mark.parametrize(
    ("words", "said"),
    [("test_z", "no test that was ever run has 'test_z'"), ("test_a", "matches 2 tests")],
)
def test_a_name_that_is_of_no_use_is_answered_with_what_to_do(
    filled: Fill, words: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        find_test(filled(run_on(1)), words)


def test_a_node_id_is_itself_though_others_begin_with_it(filled: Fill) -> None:
    run = run_on(1)
    longer = replace(run, tests=(*run.tests, replace(run.tests[1], test=f"{OTHER}_more")))

    assert find_test(filled(longer), OTHER) == OTHER


def test_in_an_empty_history_nothing_is_found(history: History) -> None:
    with pytest.raises(InputError, match="the history is empty"):
        find_test(history, TEST)


def test_a_run_is_found_by_the_beginning_of_its_id(filled: Fill) -> None:
    assert find_run(filled(run_on(1), run_on(2)), f"{1:032x}").begin == day(1)


@pytest.mark.parametrize(("start", "said"), [("0", "several runs"), ("%", "no run's id")])
def test_an_id_that_is_of_no_use_is_answered_with_what_to_do(
    filled: Fill, start: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        find_run(filled(run_on(1), run_on(2)), start)
