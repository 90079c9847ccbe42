# SPDX-License-Identifier: Apache-2.0
"""Bisection finds the first bad commit as git does, in a repository that it does not change."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bisections import Dying
from kernel_trees import tiny_tree
from made_up_provenance import PLAIN
from scratch_git import git
from validate_fakes import REQUEST, T, outcome

from harness.base.errors import BuildError, InputError
from harness.jobs.bisect import Bisection, bisect, bisection_text, find_commits
from harness.jobs.bisect.bisect import SavedSearch
from harness.kernel import KernelSpec
from harness.results import Run, SuiteRequest

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commits 0 to 9, with tags c0 to c9, and a branch that leads away from c2."""
    root = tiny_tree(tmp_path_factory.mktemp("history") / "linux")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    for number in range(10):
        (root / "kernel/fork.c").write_text(f"int number{number};\n")
        git(root, "commit", "-qam", f"fork: number {number}")
        git(root, "tag", f"c{number}")
    git(root, "branch", "side", "c2")
    return root


@pytest.fixture
def repository(history: Path, tmp_path: Path) -> Path:
    """A copy of the history that a test may change."""
    return shutil.copytree(history, tmp_path / "linux")


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
