# SPDX-License-Identifier: Apache-2.0
"""The work in a kernel's git tree is a series: commits since upstream, uncommitted changes."""

from pathlib import Path

import pytest
from kernel_trees import tiny_tree
from scratch_git import git

from harness.base.errors import SeriesError
from harness.kernel.patches.diff import Patch
from harness.kernel.patches.origin import find_series
from harness.kernel.patches.series import Series


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A clone with an upstream branch at its first commit."""
    root = tiny_tree(tmp_path / "linux")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "base")
    git(root, "branch", "up")
    git(root, "branch", "--set-upstream-to=up")
    return root


def commit(root: Path, name: str) -> None:
    (root / "kernel/fork.c").write_text(f"int {name};\n")
    git(root, "commit", "-qam", f"fork: {name}")


def subjects(series: Series) -> list[str]:
    return [mail.subject for mail in series.patches]


def paths(series: Series) -> list[set[str]]:
    return [set(Patch("x", mail.diff).paths) for mail in series.patches]


def test_commits_since_upstream_and_uncommitted_changes_are_named(tree: Path) -> None:
    commit(tree, "one")
    commit(tree, "two")
    (tree / "kernel/dma/swiotlb.c").write_text("int slots;\n")

    series = find_series([], tree / "kernel")

    assert subjects(series) == ["fork: one", "fork: two", "uncommitted changes"]
    assert paths(series)[-1] == {"kernel/dma/swiotlb.c"}
    assert series.needs.base == git(tree, "rev-parse", "up")


def test_staged_changes_alone_are_a_series(tree: Path) -> None:
    (tree / "README").write_text("staged\n")
    git(tree, "add", "README")

    assert subjects(find_series([], tree)) == ["uncommitted changes"]


def test_files_that_git_does_not_know_are_left_out_by_name(tree: Path) -> None:
    commit(tree, "one")
    (tree / "new.c").write_text("int new;\n")

    (left,) = find_series([], tree).skipped

    assert (left.name, left.reason) == (
        "new.c",
        "untracked; take new files along with: git add -N FILE",
    )


def test_settings_of_the_user_do_not_change_the_diff(tree: Path) -> None:
    git(tree, "config", "diff.noprefix", "true")
    git(tree, "config", "color.diff", "always")
    (tree / "README").write_text("changed\n")

    (mail,) = find_series([], tree).patches

    assert b"--- a/README\n+++ b/README\n" in mail.diff


def test_without_an_upstream_work_begins_at_the_last_release(tree: Path) -> None:
    git(tree, "branch", "--unset-upstream")
    git(tree, "tag", "v6.12")
    commit(tree, "one")

    series = find_series([], tree)

    assert (subjects(series), series.needs.base) == (["fork: one"], git(tree, "rev-parse", "v6.12"))


def test_a_branch_that_is_behind_has_no_work(tree: Path) -> None:
    with pytest.raises(SeriesError, match=r"no commits since .* and no uncommitted changes"):
        find_series([], tree)


def test_a_tree_without_upstream_and_release_is_refused(tree: Path) -> None:
    git(tree, "branch", "--unset-upstream")

    with pytest.raises(SeriesError, match=r"no upstream and no tag.*--set-upstream-to"):
        find_series([], tree)


def test_outside_a_kernels_tree_a_series_must_be_named(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(SeriesError, match="is not inside a git tree"):
        find_series([], tmp_path)
    git(tree, "rm", "-q", "Kconfig")
    with pytest.raises(SeriesError, match="is not a kernel's tree"):
        find_series([], tree)


def test_the_base_of_a_range_is_where_it_begins(tree: Path) -> None:
    commit(tree, "one")
    commit(tree, "two")

    assert find_series(["HEAD~1..HEAD"], tree).needs.base == git(tree, "rev-parse", "HEAD~1")
