# SPDX-License-Identifier: Apache-2.0
"""A series is applied beside the tree, or refused with the patch, file and hunk at fault."""

import subprocess
import tempfile
from pathlib import Path

import pytest
from kernel_trees import AREAS_PATCH, SLOTS_PATCH, tiny_tree

from harness.base.errors import SeriesError
from harness.kernel.patches.apply import DAMAGED, Fit, apply_series, try_series
from harness.kernel.patches.diff import Patch
from harness.kernel.source.content import Content, read_content

SWIOTLB = "kernel/dma/swiotlb.c"

RENAME_PATCH = b"""\
diff --git a/kernel/fork.c b/kernel/clone.c
similarity index 100%
rename from kernel/fork.c
rename to kernel/clone.c
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tiny_tree(tmp_path / "tree")


def apply(tree: Path, *diffs: bytes) -> dict[str, Content | None]:
    patches = [Patch(f"{number}.patch", diff) for number, diff in enumerate(diffs, 1)]
    return dict(apply_series(patches, lambda path: read_content(tree / path)))


def test_patches_build_on_each_other(tree: Path) -> None:
    changed = apply(tree, SLOTS_PATCH, AREAS_PATCH)[SWIOTLB]
    assert changed is not None
    assert changed.data == b"int slots = 64;\nint areas = 2;\nint used;\n"


def test_applying_leaves_the_tree_itself_alone(tree: Path) -> None:
    before = (tree / SWIOTLB).read_bytes()
    apply(tree, SLOTS_PATCH)
    assert (tree / SWIOTLB).read_bytes() == before


def test_renamed_file_is_gone_under_its_old_name(tree: Path) -> None:
    changes = apply(tree, RENAME_PATCH)
    assert (changes["kernel/fork.c"], changes["kernel/clone.c"]) == (
        None,
        read_content(tree / "kernel/fork.c"),
    )


def test_bytes_that_are_no_utf8_pass_unchanged(tree: Path) -> None:
    changed = apply(tree, SLOTS_PATCH.replace(b"64;", b"64; /* \xe9 */"))[SWIOTLB]
    assert changed is not None
    assert b"/* \xe9 */" in changed.data


def test_repository_around_the_scratch_files_does_not_matter(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "--quiet", tree], check=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tree))
    assert list(apply(tree, RENAME_PATCH)) == ["kernel/clone.c", "kernel/fork.c"]


def test_no_patches_change_nothing(tree: Path) -> None:
    assert apply(tree) == {}


def renamed(old: str, new: str) -> bytes:
    """SLOTS_PATCH with other names of its file."""
    return SLOTS_PATCH.replace(b"a/kernel", old.encode()).replace(b"b/kernel", new.encode())


@pytest.mark.parametrize(
    "diff",
    [
        renamed("linux-6.12.orig/kernel", "linux-6.12/kernel"),
        b"Index: linux/kernel/dma/swiotlb.c\n====\n" + renamed("linux.orig/kernel", "linux/kernel"),
        b"diff --git i/kernel/dma/swiotlb.c w/kernel/dma/swiotlb.c\n"
        + renamed("i/kernel", "w/kernel"),
        renamed("kernel", "kernel"),
        b"diff --git kernel/dma/swiotlb.c kernel/dma/swiotlb.c\n" + renamed("kernel", "kernel"),
        renamed("./kernel", "./kernel"),
    ],
    ids=["diff -urN", "quilt", "mnemonic", "no prefix", "git, no prefix", "find"],
)
def test_names_with_any_prefix_or_none_are_found(tree: Path, diff: bytes) -> None:
    changed = apply(tree, diff)

    assert list(changed) == [SWIOTLB]
    with pytest.raises(SeriesError, match=rf"{SWIOTLB}, hunk 1\."):
        apply(tree, diff.replace(b"128", b"129"))


def test_a_patch_without_prefix_for_a_name_that_is_also_at_the_top_is_applied(tree: Path) -> None:
    (tree / "kernel/README").write_text("old\n")

    changed = apply(tree, b"--- kernel/README\n+++ kernel/README\n@@ -1 +1 @@\n-old\n+new\n")

    assert list(changed) == ["kernel/README"]


def test_a_patch_without_prefix_does_not_change_a_file_above(tree: Path) -> None:
    for name in ("kernel/Kconfig", "Kconfig"):
        (tree / name).write_text("old\n")
    header = b"diff --git drivers/new.c drivers/new.c\nnew file mode 100644\n"

    changed = apply(
        tree,
        b"--- kernel/Kconfig\n+++ kernel/Kconfig\n@@ -1 +1 @@\n-old\n+new\n",
        header + b"--- /dev/null\n+++ drivers/new.c\n@@ -0,0 +1 @@\n+new\n",
    )

    assert list(changed) == ["drivers/new.c", "kernel/Kconfig"]


def test_a_file_cannot_lie_in_another_file(tree: Path) -> None:
    with pytest.raises(SeriesError, match="README/x"):
        apply(tree, b"--- /dev/null\n+++ b/README/x\n@@ -0,0 +1 @@\n+new\n")


LINK = """\
diff --git a/{0} b/{0}
new file mode 120000
--- /dev/null
+++ b/{0}
@@ -0,0 +1 @@
+{1}
\\ No newline at end of file
"""
MOVED = """\
diff --git a/kernel/link b/link
similarity index 100%
{0} from kernel/link
{0} to link
"""


@pytest.mark.parametrize(
    ("diffs", "said"),
    [
        ([LINK.format("x/link", "/etc/passwd")], "link out of the tree, x/link -> /etc/passwd"),
        ([LINK.format("x/link", "../../up")], r"link out of the tree, x/link -> \.\./\.\./up"),
        ([MOVED.format("rename")], r"link out of the tree, link -> \.\./README"),
        ([MOVED.format("copy")], r"link out of the tree, link -> \.\./README"),
        (
            [LINK.format("kernel/up", "..") + LINK.format("link", "kernel/up/../etc")],
            "link out of the tree, link -> kernel/up/",
        ),
        (
            [LINK.format("kernel/up", ".."), LINK.format("link", "kernel/up/../etc")],
            "link out of the tree, link -> kernel/up/",
        ),
        (
            ["--- /dev/null\n+++ b/here/new.c\n@@ -0,0 +1 @@\n+int x;\n"],
            r"a path beyond a link of the tree, here/new\.c \(here\)",
        ),
    ],
)
def test_what_leads_out_of_the_tree_is_refused(tree: Path, diffs: list[str], said: str) -> None:
    (tree / "kernel/link").symlink_to("../README")
    (tree / "here").symlink_to("/tmp")

    with pytest.raises(SeriesError, match=rf"is refused: .*{said}"):
        apply(tree, *(diff.encode() for diff in diffs))
    with pytest.raises(SeriesError, match=rf"is refused: .*{said}"):
        attempts(tree, *(diff.encode() for diff in diffs))


def test_nothing_is_changed_through_a_link_that_a_patch_makes(tree: Path) -> None:
    new = b"--- /dev/null\n+++ link/fork.c\n@@ -0,0 +1 @@\n+int x;\n"

    old = b"--- a/kernel/fork.c\n+++ b/kernel/fork.c\n@@ -1 +1 @@\n-int children;\n+int all;\n"

    changed = apply(tree, LINK.format("link", "kernel").encode(), new, old)

    assert list(changed) == ["fork.c", "kernel/fork.c", "link"]


def test_links_inside_the_tree_are_made(tree: Path) -> None:
    links = LINK.format("kernel/link", "../README") + LINK.format("link", "kernel/dma")

    assert list(apply(tree, links.encode())) == ["kernel/link", "link"]


def test_refusal_names_patch_file_and_hunk(tree: Path) -> None:
    with pytest.raises(SeriesError, match=rf"1\.patch \(1 of 1\) .*: {SWIOTLB}, hunk 1\."):
        apply(tree, AREAS_PATCH)


def test_refusal_names_only_the_hunks_that_fail(tree: Path) -> None:
    lines = [f"line {number}\n" for number in range(40)]
    (tree / "long").write_text("".join(lines))
    hunks = (
        b"--- a/long\n+++ b/long\n"
        b"@@ -1,4 +1,4 @@\n-line 0\n+LINE 0\n line 1\n line 2\n line 3\n"
        b"@@ -21,4 +21,4 @@\n-wrong\n+LINE 20\n line 21\n line 22\n line 23\n"
    )
    with pytest.raises(SeriesError, match=r": long, hunk 2\."):
        apply(tree, hunks)


def test_patch_for_an_absent_file_is_refused_by_name(tree: Path) -> None:
    with pytest.raises(SeriesError, match=r"kernel/absent\.c: No such file"):
        apply(tree, SLOTS_PATCH.replace(b"dma/swiotlb.c", b"absent.c"))


def test_cut_patch_is_refused(tree: Path) -> None:
    with pytest.raises(SeriesError, match="corrupt patch at "):
        apply(tree, SLOTS_PATCH[:-20])


def test_a_diff_without_a_newline_at_its_end_applies(tree: Path) -> None:
    assert apply(tree, SLOTS_PATCH.removesuffix(b"\n")) == apply(tree, SLOTS_PATCH)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b" int areas = 1;", b"\xc2\xa0int areas = 1;"),
        (b"\tint areas = 1;", b"        int areas = 1;"),
        (b"int areas = 1;", b"int areas\n= 1;"),
    ],
    ids=["no-break space", "tab", "wrapped"],
)
def test_of_a_patch_that_a_mail_program_changed_that_is_said(
    tree: Path, old: bytes, new: bytes
) -> None:
    (tree / SWIOTLB).write_text("int slots = 128;\n\tint areas = 1;\nint used;\n")
    patch = SLOTS_PATCH.replace(b" int areas", b" \tint areas")
    if old.startswith(b" "):
        (tree / SWIOTLB).write_text("int slots = 128;\nint areas = 1;\nint used;\n")
        patch = SLOTS_PATCH
    assert old in patch

    ((fit, reason),) = attempts(tree, patch.replace(old, new))

    assert fit is Fit.REFUSED
    assert reason.endswith(DAMAGED)


def test_of_a_patch_for_another_tree_no_mail_program_is_blamed(tree: Path) -> None:
    assert DAMAGED not in str(attempts(tree, AREAS_PATCH))
    inside = b"--- /dev/null\n+++ b/README/x\n@@ -0,0 +1 @@\n+new\n"
    assert DAMAGED not in str(attempts(tree, inside))


def test_patch_that_is_in_the_tree_already_is_left_out_with_a_line(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("harness.kernel.patches.apply.say", said.append)
    (tree / SWIOTLB).write_text("int slots = 64;\nint areas = 1;\nint used;\n")
    changes = apply(tree, SLOTS_PATCH)
    assert (changes, said) == (
        {},
        ["series: 1.patch (1 of 1) is already applied (all hunks, reversed); skipped"],
    )


def test_refusal_says_which_hunks_are_in_the_tree_already(tree: Path) -> None:
    lines = [f"line {number}\n" for number in range(40)]
    lines[0] = "LINE 0\n"
    (tree / "long").write_text("".join(lines))
    hunks = (
        b"--- a/long\n+++ b/long\n"
        b"@@ -1,4 +1,4 @@\n-line 0\n+LINE 0\n line 1\n line 2\n line 3\n"
        b"@@ -21,4 +21,4 @@\n-wrong\n+LINE 20\n line 21\n line 22\n line 23\n"
    )
    with pytest.raises(SeriesError, match=r": long, hunk 1, 2 \(hunk 1 already applied\)\."):
        apply(tree, hunks)


def attempts(tree: Path, *diffs: bytes) -> list[tuple[Fit, str]]:
    patches = [Patch(f"{number}.patch", diff) for number, diff in enumerate(diffs, 1)]
    tried = try_series(patches, lambda path: read_content(tree / path))
    return [(one.fit, one.reason) for one in tried]


def test_patches_are_tried_up_to_the_first_that_does_not_fit(tree: Path) -> None:
    assert attempts(tree, SLOTS_PATCH, AREAS_PATCH) == [(Fit.APPLIES, "")] * 2
    assert attempts(tree, AREAS_PATCH, SLOTS_PATCH) == [(Fit.REFUSED, f"{SWIOTLB}, hunk 1")]


def test_a_patch_that_is_there_already_is_no_obstacle(tree: Path) -> None:
    (tree / SWIOTLB).write_text("int slots = 64;\nint areas = 1;\nint used;\n")

    assert attempts(tree, SLOTS_PATCH, AREAS_PATCH) == [(Fit.ALREADY, ""), (Fit.APPLIES, "")]
