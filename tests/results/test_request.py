# SPDX-License-Identifier: Apache-2.0
"""A request becomes arguments of pytest, and those the same request again."""

import shlex
import string
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from _pytest.config import _prepareconfig
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from mail_threads import Post, archive, mbox

from harness.base.errors import InputError
from harness.base.space import MIB
from harness.kernel import KernelSpec, default_fragments
from harness.results import SuiteRequest, arguments_of, command_of, request_from
from harness.results.request import choice_of, is_whole_suite

NAMES = st.text(string.ascii_letters + string.digits + "-_. '", min_size=1).map(str.strip)
PATHS = st.builds(lambda name: Path("/patches") / f"x{name}", NAMES)
TEXTS = st.text(string.printable, min_size=1)
NODES = st.builds("harness/suite/properties/test_{}.py::test_[{}]".format, NAMES, NAMES)

REQUESTS = st.builds(
    SuiteRequest,
    spec=st.builds(
        lambda source, series, extra, flavour: KernelSpec(
            source, tuple(series), (*default_fragments(), *extra), flavour
        ),
        st.sampled_from(["debian:6.12", "debian:6.1", "git:/a b/linux@v6.12"]),
        st.lists(PATHS, max_size=3),
        st.lists(PATHS, max_size=2),
        st.sampled_from(["", "kasan"]),
    ),
    qemu=st.sampled_from(["qemu-system-aarch64", "/opt/my qemu/qemu-system-aarch64"]),
    tier=st.sampled_from(["default", "nightly", "all"]),
    tests=st.lists(NODES, max_size=3).map(tuple),
    workers=st.integers(0, 9),
    keep=st.sampled_from(["failed", "all", "none"]),
    properties=st.lists(st.sampled_from(["B1", "B12", "FENCE"]), max_size=2).map(tuple),
    findings=st.lists(st.sampled_from(["attach-race", "6.1-page-order"]), max_size=2).map(tuple),
    match=st.just("") | TEXTS,
    max_failures=st.integers(0, 3),
    ram_size=st.integers(256, 4096).map(lambda size: size * MIB),
    shape=st.sampled_from(["", "pool-two", "/boards/my board.dtso"]),
)


FAST: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.generate, Phase.shrink),
}
"""pytest takes a quarter of a second to read a command line."""


def parsed(arguments: Sequence[str]) -> SuiteRequest:
    """What pytest makes of *arguments*."""
    config = _prepareconfig(["-p", "no:cacheprovider", *arguments])
    try:
        return request_from(config)
    finally:
        config._ensure_unconfigure()


@settings(max_examples=50, **FAST)
@given(REQUESTS)
def test_a_request_survives_pytests_command_line(request_: SuiteRequest) -> None:
    assert parsed(arguments_of(request_)) == request_


@settings(max_examples=25, **FAST)
@given(REQUESTS)
@example(SuiteRequest(match="@0"))
@example(SuiteRequest(match="-x"))
def test_what_a_person_types_is_the_same_request(request_: SuiteRequest) -> None:
    script, *words = shlex.split(command_of(request_))

    whole = [] if request_.tests else ["harness/"]
    typed = parsed(["-n", str(SuiteRequest().workers), *whole, *words])

    assert script == "scripts/run"
    assert typed == request_


def test_only_what_is_not_usual_is_typed() -> None:
    patched = KernelSpec(series=(Path("/a/fix.patch"),))

    assert command_of(SuiteRequest()) == "scripts/run"
    assert (
        command_of(SuiteRequest(patched, match="test_a and x"))
        == 'scripts/run --series=/a/fix.patch -k "test_a and x"'
    )


@pytest.mark.parametrize("where", ["harness", "harness/", "harness/suite", "harness/suite/"])
def test_a_folder_of_all_tests_names_none(where: str) -> None:
    assert parsed([where]) == replace(SuiteRequest(), workers=0)


@pytest.mark.parametrize("tier", ["default", "nightly", "all"])
def test_all_tests_of_a_tier_are_the_whole_suite(tier: str) -> None:
    assert is_whole_suite(choice_of(parsed([f"--tier={tier}", "harness"])))


@pytest.mark.parametrize(
    "words",
    [
        ["-k=B1", "harness"],
        ["-m=not selftest", "harness"],
        ["--property=B1", "harness"],
        ["--deselect=harness/suite/selftest", "harness"],
        ["--ignore=harness/suite/selftest", "harness"],
        ["harness/suite/properties/test_sync.py"],
    ],
    ids=lambda words: words[0],
)
def test_chosen_tests_are_not_the_whole_suite(words: list[str]) -> None:
    request = parsed(words)

    assert not is_whole_suite(choice_of(request))
    assert parsed(choice_of(request)) == request


def test_the_tests_that_failed_last_are_not_the_whole_suite() -> None:
    config = _prepareconfig(["--lf", "harness"])
    try:
        assert not is_whole_suite(choice_of(request_from(config)))
    finally:
        config._ensure_unconfigure()


@pytest.mark.parametrize("kind", ["", "build:"])
def test_a_kernel_in_a_directory_is_found_from_any_directory(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "linux").mkdir()
    monkeypatch.chdir(tmp_path)

    words = arguments_of(SuiteRequest(KernelSpec(f"{kind}linux")))

    assert f"--kernel={kind}{tmp_path}/linux" in words


@pytest.mark.parametrize("match", ["$HOME", "`id`", 'a"b', "a\\b", "!x", "a\nb"])
def test_a_shell_expands_nothing_in_what_is_typed(match: str) -> None:
    assert command_of(SuiteRequest(match=match)) == f"scripts/run -k '{match}'"


def test_the_first_failure_may_end_a_run() -> None:
    assert parsed(["-x", "harness"]).max_failures == 1


def test_a_function_that_few_tests_reach_may_be_asked_for_first() -> None:
    assert parsed(["--first=B1", "--first=dmam_alloc_attrs", "harness"]).first == (
        "B1",
        "dmam_alloc_attrs",
    )


@pytest.mark.parametrize("name", ["swiotlb_tbl_map_single", "B99"])
def test_what_chooses_no_test_to_run_first_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"--first={name}: expected a property such as B1, or"):
        parsed([f"--first={name}", "harness"])


def test_markers_choose_tests_too() -> None:
    assert parsed(["-m", "nightly", "harness"]).words == ("-m=nightly",)


def test_a_series_that_is_not_a_file_is_stored_before_the_workers_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    with archive(mbox(Post("[PATCH] a", "a@x", adds="a"))) as url:
        (stored,) = parsed([f"--series={url}/a@x/"]).spec.series

    assert [path.name for path in stored.glob("*.patch")] == ["0001-a.patch"]


def test_a_series_that_cannot_be_fetched_is_refused_as_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        archive(b"") as url,
        pytest.raises(pytest.UsageError, match="--series: b4 has no thread for"),
    ):
        parsed([f"--series={url}/unknown@x/"])
