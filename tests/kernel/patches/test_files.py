# SPDX-License-Identifier: Apache-2.0
"""A series is read from files, mailboxes and directories."""

from pathlib import Path

import pytest
from kernel_trees import AREAS_PATCH, SLOTS_PATCH

from harness.base.errors import SeriesError
from harness.kernel.patches.apply import apply_series
from harness.kernel.patches.diff import Patch
from harness.kernel.patches.series import read_series
from harness.kernel.source.content import REGULAR, Content

MAIL = b"""\
From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: A Tester <tester@example.org>
Date: Mon, 1 Jan 2024 00:00:00 +0000
Subject: [PATCH %d/2] swiotlb: change
MIME-Version: 1.0
Content-Transfer-Encoding: 8bit

%s
"""

COVER = MAIL % (0, b"This series is good.\n")

ENCODED = b"""\
From: A Tester <tester@example.org>
Subject: [PATCH] swiotlb: change
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: quoted-printable

---
""" + SLOTS_PATCH.replace(b"=", b"=3D")


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def names(*paths: Path) -> list[str]:
    return [patch.name for patch in read_series(paths)]


def test_plain_diff_is_one_patch(tmp_path: Path) -> None:
    assert names(write(tmp_path / "one.patch", SLOTS_PATCH)) == ["one.patch"]


def test_mailbox_is_split_and_its_cover_letter_left_out(tmp_path: Path) -> None:
    box = write(tmp_path / "box.mbox", COVER + MAIL % (1, SLOTS_PATCH) + MAIL % (2, AREAS_PATCH))
    assert names(box) == ["box.mbox#0002", "box.mbox#0003"]


def test_directory_is_read_by_name(tmp_path: Path) -> None:
    expected = [f"{number:04}-x.patch" for number in range(9)]
    for name in (*reversed(expected), "notes.txt"):
        write(tmp_path / name, SLOTS_PATCH)
    assert names(tmp_path) == expected


def test_directory_with_a_quilt_series_is_read_in_its_order(tmp_path: Path) -> None:
    for name in ("a.patch", "b.patch", "unused.patch"):
        write(tmp_path / name, SLOTS_PATCH)
    write(tmp_path / "series", b"# first\nb.patch -p1\n\na.patch # second\n")
    assert names(tmp_path) == ["b.patch", "a.patch"]


NEW = b"--- /dev/null\n+++ kernel/new.c\n@@ -0,0 +1 @@\n+int new;\n"
NEXT = NEW.replace(b"new.c", b"next.c")
MOVED = (
    b'diff --git "kernel/\\303\\266 a" "kernel/\\303\\266 b"\nsimilarity index 100%\n'
    b'rename from "kernel/\\303\\266 a"\nrename to "kernel/\\303\\266 b"\n'
)


@pytest.mark.parametrize(
    ("option", "diff", "paths"),
    [
        ("", NEW, ["new.c"]),
        ("-p1", NEW, ["new.c"]),
        ("-p0", NEW, ["kernel/new.c"]),
        (
            "-p0",
            b"diff --git kernel/new.c kernel/new.c\nnew file mode 100644\n" + NEW,
            ["kernel/new.c"],
        ),
        ("-p0", NEW + NEXT, ["kernel/new.c", "kernel/next.c"]),
        ("-p2", NEW.replace(b"+++ ", b"+++ x/linux/"), ["kernel/new.c"]),
        ("-p0", MOVED, ["kernel/\xf6 a", "kernel/\xf6 b"]),
    ],
)
def test_a_quilt_series_says_how_many_parts_of_names_are_no_path(
    tmp_path: Path, option: str, diff: bytes, paths: list[str]
) -> None:
    write(tmp_path / "new.patch", diff)
    write(tmp_path / "series", f"new.patch {option}\n".encode())
    tree = {"kernel/\xf6 a": Content(REGULAR, b"old\n")}

    assert list(apply_series(read_series([tmp_path]), tree.get)) == paths


def test_a_quilt_series_cannot_name_what_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "new.patch", NEW.replace(b"kernel", b"/etc"))
    write(tmp_path / "series", b"new.patch -p0\n")

    with pytest.raises(SeriesError, match=r"an absolute path, /etc/new\.c"):
        apply_series(read_series([tmp_path]), lambda _: None)


def test_paths_keep_the_order_they_are_given_in(tmp_path: Path) -> None:
    late, early = tmp_path / "z.patch", tmp_path / "a.patch"
    assert names(write(late, SLOTS_PATCH), write(early, SLOTS_PATCH)) == ["z.patch", "a.patch"]


def test_encoded_mail_is_decoded(tmp_path: Path) -> None:
    (patch,) = read_series([write(tmp_path / "mail.eml", ENCODED)])
    assert b"+int slots = 64;" in patch.text


@pytest.mark.parametrize("data", [b"", b"no diff here\n", COVER], ids=["empty", "text", "cover"])
def test_file_without_a_diff_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(SeriesError, match="contains no diff"):
        read_series([write(tmp_path / "x.patch", data)])


def test_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeriesError, match="no such file or directory"):
        read_series([tmp_path / "absent.patch"])


def test_quilt_series_that_names_an_absent_patch_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "series", b"absent.patch\n")
    with pytest.raises(SeriesError, match=r"absent\.patch cannot be read"):
        read_series([tmp_path])


def test_directory_without_patches_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SeriesError, match="contains no patch"):
        read_series([tmp_path])


def test_paths_that_leave_the_tree_are_never_touched() -> None:
    patch = Patch("evil", b"--- a/../../etc/passwd\n+++ /etc/passwd\n")
    assert patch.paths == frozenset()
