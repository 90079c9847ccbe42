# SPDX-License-Identifier: Apache-2.0
"""Bisection finds the first bad commit, patch or kernel, and continues after a kill."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from kernel_trees import tiny_tree
from made_up_provenance import PLAIN
from scratch_git import git
from validate_fakes import FakeSuite, T, U, outcome

from harness.base.errors import BuildError, HostError, InputError
from harness.cli import main
from harness.jobs.bisect import Bisection, bisect, bisection_text, find_commits, kernels_line
from harness.jobs.bisect.bisect import SavedSearch
from harness.jobs.bisect.search import Found, Word, next_of
from harness.jobs.bisect.spaces import Line, series_line
from harness.kernel import KernelSpec
from harness.kernel.patches.series import Series, read_paths
from harness.results import Run, SuiteRequest

FIXTURE = Path(__file__).parents[2] / "series/full-pool"

REQUEST = SuiteRequest(KernelSpec(), words=("--property=B12",))

PASS, FAIL = ["PASS"], ["FAIL"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def series() -> Series:
    return read_paths([FIXTURE])


def positions(series: Series, good: int = 0, bad: int = 4) -> Line:
    return series_line(KernelSpec(), series, str(good), str(bad))


def searched(bisection: Bisection) -> list[tuple[str, Word]]:
    return list(bisection.state.known.items())


# the search itself


@pytest.mark.parametrize("first_bad", range(1, 10))
def test_a_line_is_halved_until_its_first_bad_one_is_found(first_bad: int) -> None:
    names = [str(number) for number in range(10)]
    known = {"0": Word.GOOD, "9": Word.BAD}

    while isinstance(name := next_of(names, known), str):
        known[name] = Word.BAD if int(name) >= first_bad else Word.GOOD

    assert name == Found((str(first_bad),))
    assert len(known) <= 2 + 4


def test_what_is_skipped_is_gone_around() -> None:
    known = {"0": Word.GOOD, "4": Word.BAD, "2": Word.SKIP}

    assert next_of("01234", known) == "1"
    assert next_of("01234", {**known, "1": Word.GOOD}) == "3"
    assert next_of("01234", {**known, "1": Word.GOOD, "3": Word.BAD}) == Found(("2", "3"))
    assert next_of("01234", {**known, "1": Word.BAD}) == Found(("1",))


# a series


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


# what is remembered


@dataclass
class Dying:
    """Goes through with *lives* runs and is killed in the next."""

    suite: Callable[[SuiteRequest], Run]
    lives: int
    fault: BaseException = field(default_factory=KeyboardInterrupt)

    def __call__(self, request: SuiteRequest) -> Run:
        """Takes the place of run_suite()."""
        if not self.lives:
            raise self.fault
        self.lives -= 1
        return self.suite(request)


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


# commits


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Commits 0 to 9, with tags c0 to c9, and a branch that leads away from c2."""
    root = tiny_tree(tmp_path / "linux")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    for number in range(10):
        (root / "kernel/fork.c").write_text(f"int number{number};\n")
        git(root, "commit", "-qam", f"fork: number {number}")
        git(root, "tag", f"c{number}")
    git(root, "branch", "side", "c2")
    return root


@dataclass
class Commits:
    """A suite whose test fails from commit number *first_bad* on; *unbuildable* do not compile."""

    repository: Path
    first_bad: int
    unbuildable: frozenset[int] = frozenset()
    asked: list[int] = field(default_factory=list)

    def __call__(self, request: SuiteRequest) -> Run:
        """Takes the place of run_suite()."""
        commit = request.spec.source.rpartition("@")[2]
        number = int(git(self.repository, "describe", "--tags", commit).removeprefix("c"))
        self.asked.append(number)
        if number in self.unbuildable:
            raise BuildError("fork.c does not compile")
        result = "FAIL" if number >= self.first_bad else "PASS"
        return Run(PLAIN, "", 1.0, (), (outcome(T, result),))


def commits_found(repository: Path, bisection: Bisection) -> set[str]:
    return {git(repository, "describe", "--tags", name) for name in bisection.found.suspects}


@pytest.mark.parametrize("first_bad", [1, 4, 9])
def test_git_finds_the_first_bad_commit(repository: Path, first_bad: int) -> None:
    space = find_commits(KernelSpec(), str(repository), "c0", "main")

    bisection = bisect(space, REQUEST, Commits(repository, first_bad))

    assert commits_found(repository, bisection) == {f"c{first_bad}"}
    assert f'("fork: number {first_bad}")' in bisection_text(bisection)


def test_the_log_of_a_search_by_git_can_be_replayed(repository: Path, tmp_path: Path) -> None:
    space = find_commits(KernelSpec(), str(repository), "c0", "c9")
    bisection = bisect(space, REQUEST, Commits(repository, 4))
    (tmp_path / "log").write_text(space.log(bisection.state.known) + "\n")

    said = git(repository, "bisect", "replay", str(tmp_path / "log"))

    first = git(repository, "rev-parse", "c4")
    assert f"{first} is the first bad commit" in said.replace("'", "")  # git 2.55 quotes


def test_commits_that_cannot_be_built_are_skipped(repository: Path) -> None:
    space = find_commits(KernelSpec(), str(repository), "c0", "c9")

    bisection = bisect(space, REQUEST, Commits(repository, 5, frozenset({3, 4})))

    assert commits_found(repository, bisection) == {"c3", "c4", "c5"}
    assert bisection.first_bad.name == git(repository, "rev-parse", "c5")


def test_the_users_repository_is_as_it_was(repository: Path) -> None:
    (repository / "README").write_text("at work\n")

    def seen() -> list[str]:
        files = sorted(path for path in repository.rglob("*") if path.is_file())
        return [f"{path} {path.stat().st_mtime_ns}" for path in files]

    before = seen()
    bisect(
        find_commits(KernelSpec(), str(repository), "c0", "c9"),
        REQUEST,
        Commits(repository, 4),
    )

    assert seen() == before


def test_an_interrupted_search_by_git_goes_on_where_it_was(repository: Path) -> None:
    space = find_commits(KernelSpec(), str(repository), "c0", "c9")
    whole = Commits(repository, 4)
    bisect(space, REQUEST, whole, again=True)
    SavedSearch(space, REQUEST).path.unlink()
    suite = Commits(repository, 4)

    for lives in (2, 1, 1):
        with pytest.raises(KeyboardInterrupt):
            bisect(space, REQUEST, Dying(suite, lives))
    bisect(space, REQUEST, suite)

    assert suite.asked == whole.asked


def test_a_branch_that_moves_is_another_search(repository: Path) -> None:
    def search() -> Path:
        return SavedSearch(find_commits(KernelSpec(), str(repository), "c0", "main"), REQUEST).path

    before = search()
    git(repository, "commit", "-q", "--allow-empty", "-m", "more")

    assert search() != before


def test_a_repository_elsewhere_is_fetched_with_its_history(repository: Path) -> None:
    space = find_commits(KernelSpec(), f"file://{repository}", "c0", "c9")

    bisection = bisect(space, REQUEST, Commits(repository, 7))

    assert commits_found(repository, bisection) == {"c7"}
    assert bisection.first_bad.spec.source.startswith(f"git:{os.environ['HARNESS_CACHE']}")


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("c5", "side", "c5 is not an ancestor of side"),
        ("c5", "c4", "c5 is not an ancestor of c4"),
        ("c5", "c5", "are the same commit"),
    ],
)
def test_revisions_that_span_nothing_are_refused(
    repository: Path, good: str, bad: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        find_commits(KernelSpec(), str(repository), good, bad)


# kernels


def test_the_first_bad_one_of_some_kernels_is_found(tmp_path: Path) -> None:
    names = [str(tiny_tree(tmp_path / f"linux-{number}")) for number in range(5)]

    def suite(request: SuiteRequest) -> Run:
        result = "FAIL" if names.index(request.spec.source) >= 2 else "PASS"
        return Run(PLAIN, "", 1.0, (), (outcome(T, result),))

    space = kernels_line(KernelSpec(), names[0], names[-1], names[1:-1])

    assert bisect(space, REQUEST, suite).found == Found((names[2],))


def test_nobody_knows_what_lies_between_two_directories(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Name them, in order, with --kernels"):
        kernels_line(KernelSpec(), str(tmp_path / "a"), str(tmp_path / "b"), [])


# the command


def test_the_command_finds_the_patch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = FakeSuite({T: [PASS, PASS, PASS, FAIL, FAIL, PASS]})
    monkeypatch.setattr("harness.cli.choice.run_suite", lambda request, _: suite(request))

    assert main(["bisect", "0", "4", "full_pool", f"--series={FIXTURE}"]) == 0
    assert "The first bad kernel is patch 3/5" in " ".join(capsys.readouterr().out.split())
