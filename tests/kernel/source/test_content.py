# SPDX-License-Identifier: Apache-2.0
"""Files of a tree are identified as git does and written only when they differ."""

from pathlib import Path

import pytest

from harness.kernel.source.content import (
    EXECUTABLE,
    REGULAR,
    SYMLINK,
    Content,
    prune_empty,
    read_content,
    write_content,
)

CONTENTS = [Content(REGULAR, b"text"), Content(EXECUTABLE, b"#!"), Content(SYMLINK, b"a/target")]


@pytest.mark.parametrize("content", CONTENTS)
def test_what_is_written_is_read_back(tmp_path: Path, content: Content) -> None:
    write_content(tmp_path / "new" / "file", content)
    assert read_content(tmp_path / "new" / "file") == content


@pytest.mark.parametrize("path", ["absent", "file/below", "."])
def test_what_is_no_file_has_no_content(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    assert read_content(tmp_path / path) is None


def test_equal_content_leaves_the_file_alone(tmp_path: Path) -> None:
    write_content(tmp_path / "file", CONTENTS[0])
    before = (tmp_path / "file").stat()
    write_content(tmp_path / "file", CONTENTS[0])
    assert (tmp_path / "file").stat() == before


def test_no_content_removes_the_file(tmp_path: Path) -> None:
    write_content(tmp_path / "file", CONTENTS[0])
    write_content(tmp_path / "file", None)
    assert not (tmp_path / "file").exists()


def test_changed_mode_is_a_change(tmp_path: Path) -> None:
    write_content(tmp_path / "file", Content(REGULAR, b"x"))
    write_content(tmp_path / "file", Content(EXECUTABLE, b"x"))
    assert read_content(tmp_path / "file") == Content(EXECUTABLE, b"x")


def test_identity_is_gits() -> None:
    # printf hello | git hash-object --stdin
    expected = "100644 b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"
    assert Content(REGULAR, b"hello").identity == expected


def test_only_empty_directories_are_pruned(tmp_path: Path) -> None:
    (tmp_path / "full" / "empty" / "deeper").mkdir(parents=True)
    (tmp_path / "full" / "file").touch()
    prune_empty(tmp_path / "full" / "empty" / "deeper", tmp_path)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["file"]
