# SPDX-License-Identifier: Apache-2.0
"""A patch that could write outside the tree, is binary or is huge is refused before anything."""

import pytest

from harness.base.errors import SeriesError
from harness.kernel.patches.apply import apply_series
from harness.kernel.patches.diff import LARGEST_PATCH, Patch, require_safe
from harness.kernel.source.content import Content

NEW = "diff --git a/{0} b/{0}\nnew file mode {1}\n--- /dev/null\n+++ b/{0}\n@@ -0,0 +1 @@\n+{2}\n"


def edit(old: str, new: str) -> str:
    return f"--- {old}\n+++ {new}\n@@ -1 +1 @@\n-a\n+b\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (edit("a/f", "/etc/passwd"), "an absolute path, /etc/passwd"),
        (edit("/home/me/linux/f", "b/f"), "an absolute path, /home/me/linux/f"),
        (edit("a/../f", "b/f"), r"a path outside the tree, a/\.\./f"),
        (edit("a/f", "b/x/../../../f"), "a path outside the tree"),
        (edit('"a/\\056\\056/f"', '"b/f"'), r"a path outside the tree, a/\.\./f"),
        (edit("a/.git/config", "b/.git/config"), "a file of a git repository itself"),
        ("diff --git a/f b/f\nrename from f\nrename to ../f\n", r"outside the tree, \.\./f"),
        ("diff --git a/f b/f\ncopy from /etc/passwd\ncopy to f\n", "absolute path, /etc/passwd"),
        (NEW.format("sub", "160000", "Subproject commit 0123"), "a submodule, sub"),
        (
            "diff --git a/s b/s\nindex 012..345 160000\n--- a/s\n+++ b/s\n@@ -1 +1 @@\n-a\n+b\n",
            "a subm",
        ),
        (edit("a/x\0y", "b/x\0y"), r"a control character in its name, a/x\\000y"),
        (edit('"a/x\\ty"', '"b/x\\ty"'), r"a control character in its name, a/x\\011y"),
        (edit("a/f", f"b/{'x' * 256}"), "a name of 258 bytes, b/xxx"),
        (edit("a/f", f"b/{'x/' * 2000}f"), "a name of 4003 bytes, b/x/x"),
        ("diff --git a/f b/f\nGIT binary patch\nliteral 1\n", "changes the binary file f"),
        ("diff --git a/f b/f\nBinary files a/f and b/f differ\n", "changes the binary file f"),
        (edit("a/f", "b/f") + "#" * LARGEST_PATCH, "has 8.0 MiB, more than 8 MiB"),
    ],
)
def test_it_is_refused_before_any_file_is_read(text: str, said: str) -> None:
    def never(path: str) -> Content | None:
        raise AssertionError(path)

    harmless = Patch("1.patch", edit("a/f", "b/f").encode())
    with pytest.raises(SeriesError, match=rf"2\.patch is refused: .*{said}.*Nothing was written"):
        apply_series([harmless, Patch("2.patch", text.encode())], never)


@pytest.mark.parametrize(
    "text",
    [
        edit("a/f", "b/f"),
        edit("a/f\t2024-01-01", "b/f"),
        "--- /not/a/file header\n" + edit("a/f", "b/f"),
        "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1,2 +1 @@\n--- /etc/passwd\n x\n",
        "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -0,0 +1,2 @@\n+++ ../x\n+GIT binary patch\n",
        NEW.format("x/file", "100644", "/etc/passwd"),
    ],
)
def test_lines_that_only_look_like_it_are_accepted(text: str) -> None:
    require_safe(Patch("1.patch", text.encode()))
