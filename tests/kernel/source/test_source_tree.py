# SPDX-License-Identifier: Apache-2.0
"""A workspace's tree changes only in the files that must change, and survives being killed."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from harness.base.errors import SourceError
from harness.kernel.source.content import REGULAR, Content
from harness.kernel.source.tree import SourceTree

Files = Mapping[str, str]


def text(words: str) -> Content:
    return Content(REGULAR, words.encode())


def unpack(directory: Path) -> None:
    (directory / "one").write_text("1")
    (directory / "two").write_text("2")


def sync(tree: SourceTree, identity: str, files: Files) -> list[str]:
    """Sync *tree* to *files* and return the paths that were read."""
    read: list[str] = []

    def reader(paths: Iterable[str]) -> Iterator[tuple[str, Content | None]]:
        for path in paths:
            read.append(path)
            yield path, text(files[path])

    wanted = {path: text(words).identity for path, words in files.items()}
    tree.sync(identity, wanted, reader)
    return read


def content_of(tree: SourceTree) -> Files:
    files = (path for path in tree.source.rglob("*") if path.is_file())
    return {str(path.relative_to(tree.source)): path.read_text() for path in files}


@pytest.fixture
def tree(tmp_path: Path) -> SourceTree:
    made = SourceTree(tmp_path)
    made.replace("version 1", unpack)
    return made


def test_patched_file_is_changed(tree: SourceTree) -> None:
    tree.patch({"one": text("patched")})
    assert content_of(tree) == {"one": "patched", "two": "2"}


def test_pristine_content_is_kept_of_a_patched_file(tree: SourceTree) -> None:
    tree.patch({"one": text("patched")})
    assert tree.pristine("one") == text("1")


def test_file_outside_the_series_is_not_touched(tree: SourceTree) -> None:
    before = (tree.source / "two").stat()
    tree.patch({"one": text("patched")})
    assert (tree.source / "two").stat() == before


def test_dropped_series_leaves_the_pristine_tree(tree: SourceTree) -> None:
    tree.patch({"one": text("patched"), "new": text("new"), "two": None})
    tree.patch({})
    assert content_of(tree) == {"one": "1", "two": "2"}


def test_next_series_starts_from_the_pristine_tree(tree: SourceTree) -> None:
    tree.patch({"one": text("patched")})
    tree.patch({"two": text("other")})
    assert content_of(tree) == {"one": "1", "two": "other"}


def test_file_and_directory_of_one_name_may_follow_each_other(tree: SourceTree) -> None:
    tree.patch({"new": text("a file")})
    tree.patch({"new/inside": text("a directory")})
    assert content_of(tree) == {"one": "1", "two": "2", "new/inside": "a directory"}
    tree.patch({"new": text("a file")})
    assert content_of(tree) == {"one": "1", "two": "2", "new": "a file"}


def test_file_patched_alike_keeps_its_times(tree: SourceTree) -> None:
    tree.patch({"one": text("patched")})
    before = (tree.source / "one").stat().st_mtime_ns
    tree.patch({"one": text("patched"), "two": text("too")})
    assert (tree.source / "one").stat().st_mtime_ns == before


def test_killed_in_the_middle_of_a_series_is_mended(
    tree: SourceTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(path: Path, content: Content | None) -> None:
        if path == tree.source / "two":
            raise KeyboardInterrupt
        genuine(path, content)

    from harness.kernel.source.tree import write_content as genuine  # noqa: PLC0415 - the one replaced

    monkeypatch.setattr("harness.kernel.source.tree.write_content", die)
    with pytest.raises(KeyboardInterrupt):
        tree.patch({"one": text("patched"), "two": text("patched")})
    monkeypatch.undo()
    tree.patch({})
    assert content_of(tree) == {"one": "1", "two": "2"}


def test_killed_unpacking_leaves_no_tree(tree: SourceTree) -> None:
    def die(directory: Path) -> None:
        unpack(directory)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tree.replace("version 2", die)
    assert tree.state.pristine is None


def test_first_sync_makes_the_tree(tmp_path: Path) -> None:
    tree = SourceTree(tmp_path)
    sync(tree, "a", {"x/y": "1", "z": "2"})
    assert content_of(tree) == {"x/y": "1", "z": "2"}


def test_next_sync_reads_only_what_differs(tmp_path: Path) -> None:
    tree = SourceTree(tmp_path)
    sync(tree, "a", {"x": "1", "y": "2"})
    assert sync(tree, "b", {"x": "1", "y": "3"}) == ["y"]


def test_sync_removes_what_is_gone(tmp_path: Path) -> None:
    tree = SourceTree(tmp_path)
    sync(tree, "a", {"dir/x": "1", "y": "2"})
    sync(tree, "b", {"dir": "now a file", "y": "2"})
    assert content_of(tree) == {"dir": "now a file", "y": "2"}


def test_sync_under_a_series_updates_the_original(tmp_path: Path) -> None:
    tree = SourceTree(tmp_path)
    sync(tree, "a", {"x": "1"})
    tree.patch({"x": text("patched")})
    sync(tree, "b", {"x": "2"})
    tree.patch({})
    assert content_of(tree) == {"x": "2"}


def test_sync_that_was_killed_is_done_again(tmp_path: Path) -> None:
    tree = SourceTree(tmp_path)
    sync(tree, "a", {"x": "1", "y": "1"})

    def die(_: Iterable[str]) -> Iterator[tuple[str, Content | None]]:
        yield "x", text("2")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tree.sync("b", {"x": text("2").identity, "y": text("2").identity}, die)
    sync(tree, "a", {"x": "1", "y": "1"})
    assert content_of(tree) == {"x": "1", "y": "1"}


def test_source_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    tree = SourceTree(tmp_path)
    with pytest.raises(SourceError, match="x changed while it was read"):
        tree.sync("a", {"x": text("1").identity}, lambda _: iter([("x", text("2"))]))
