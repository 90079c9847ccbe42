# SPDX-License-Identifier: Apache-2.0
"""A directory is read like git would read it, and never written to."""

import os
import time
from pathlib import Path

import pytest
from kernel_trees import FILES, tiny_tree
from scratch_git import commit_all, git

from harness.kernel.source import snapshot
from harness.kernel.source.snapshot import (
    list_revision,
    revision_reader,
    scan_directory,
    snapshot_identity,
)

LONG_AGO = time.time() - 3600


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    made = tiny_tree(tmp_path / "tree")
    for path in made.rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    return made


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "memory.json"


def test_every_source_file_is_listed(tree: Path, memory: Path) -> None:
    assert scan_directory(tree, memory).keys() == FILES.keys()


@pytest.mark.parametrize(
    "product",
    ["kernel/fork.o", ".config", "include/generated/x.h", "arch/arm64/include/generated/y.h"],
)
def test_build_products_are_left_out(tree: Path, memory: Path, product: str) -> None:
    (tree / product).parent.mkdir(parents=True, exist_ok=True)
    (tree / product).touch()
    assert product not in scan_directory(tree, memory)


def test_ignored_files_are_left_out(tree: Path, memory: Path) -> None:
    (tree / ".gitignore").write_text("README\n")
    assert "README" not in scan_directory(tree, memory)


def test_tracked_file_counts_although_it_is_ignored(tree: Path, memory: Path) -> None:
    commit_all(tree)
    (tree / ".gitignore").write_text("README\n")
    assert "README" in scan_directory(tree, memory)


def test_file_removed_from_a_git_tree_is_not_listed(tree: Path, memory: Path) -> None:
    commit_all(tree)
    (tree / "README").unlink()
    assert "README" not in scan_directory(tree, memory)


def test_untracked_file_of_a_git_tree_is_listed(tree: Path, memory: Path) -> None:
    commit_all(tree)
    (tree / "new.c").touch()
    assert "new.c" in scan_directory(tree, memory)


def test_directory_inside_another_repository_is_read_by_itself(tree: Path, memory: Path) -> None:
    (tree.parent / ".gitignore").write_text("*\n")
    git(tree.parent, "init", "--quiet")
    assert scan_directory(tree, memory).keys() == FILES.keys()


def test_scan_does_not_write_to_the_directory(tree: Path, memory: Path) -> None:
    commit_all(tree)
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    scan_directory(tree, memory)
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before


def test_unchanged_files_are_not_read_again(
    tree: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "RACY", 0)
    first = scan_directory(tree, memory)
    monkeypatch.setattr(snapshot, "read_content", None)
    assert scan_directory(tree, memory) == first


def test_file_changed_just_now_is_read_again(
    tree: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "RACY", 3600 * 10**9)
    scan_directory(tree, memory)
    read: list[Path] = []
    monkeypatch.setattr(snapshot, "read_content", read.append)
    scan_directory(tree, memory)
    assert tree / "README" in read


def test_same_content_elsewhere_has_the_same_identity(tmp_path: Path) -> None:
    scans = (scan_directory(tiny_tree(tmp_path / name), tmp_path / f"{name}.json") for name in "ab")
    assert len({snapshot_identity(scan) for scan in scans}) == 1


def test_changed_mode_changes_the_identity(tree: Path, memory: Path) -> None:
    before = snapshot_identity(scan_directory(tree, memory))
    (tree / "README").chmod(0o755)
    assert snapshot_identity(scan_directory(tree, memory)) != before


def test_clean_checkout_equals_its_revision(tree: Path, memory: Path) -> None:
    revision = commit_all(tree)
    assert list_revision(tree, revision) == scan_directory(tree, memory)


def test_revision_is_read_from_the_object_store(tree: Path) -> None:
    revision = commit_all(tree)
    (tree / "README").unlink()
    read = revision_reader(tree, list_revision(tree, revision))
    assert [(path, content and content.data) for path, content in read(["README"])] == [
        ("README", b"a tree\n")
    ]


def test_source_package_that_ignores_its_whole_top_level_is_read(tree: Path, memory: Path) -> None:
    (tree / ".gitignore").write_text("*.tmp\n/*\n!/debian/\n")
    (tree / "kernel" / "x.tmp").touch()
    assert scan_directory(tree, memory).keys() == {*FILES, ".gitignore"}
