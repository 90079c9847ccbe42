# SPDX-License-Identifier: Apache-2.0
"""What a series says that it needs is read from its letter, and from below its message."""

from pathlib import Path

import pytest
from mail_threads import Post, mbox

from harness.kernel.patches.prerequisites import Prerequisites
from harness.kernel.patches.series import read_paths

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def needs(tmp_path: Path, letter: str, *, notes: str = "", end: str = "") -> Prerequisites:
    """What is read from a letter, and from a patch with *notes* below its message."""
    patch = Post("[PATCH 1/1] a", "1@x", "0@x", adds="a")
    text = patch.text.replace("---\ndiff", f"---\n{notes}\ndiff").replace("-- \n", f"{end}-- \n")
    path = tmp_path / "box.mbox"
    start = b"From mboxrd@z Thu Jan  1 00:00:00 1970\n"
    path.write_bytes(mbox(Post("[PATCH 0/1] all", "0@x", body=letter)) + start + text.encode())
    return read_paths([path]).needs


@pytest.mark.parametrize(
    ("letter", "said"),
    [
        (
            "Two notes. This depends on the\nrework of pools.",
            "This depends on the rework of pools.",
        ),
        ("It applies on top of v7.3-rc1.", "It applies on top of v7.3-rc1."),
        (
            "Based on the dma tree:\nhttps://example.org/x\n\nOther.",
            "Based on the dma tree: https://example.org/x",
        ),
        ("Depends-on: <123@example.org>", "Depends-on: <123@example.org>"),
        (f"prerequisite-patch-id: {COMMIT}", f"prerequisite-patch-id: {COMMIT}"),
    ],
)
def test_lines_and_sentences_of_the_letter_are_kept(tmp_path: Path, letter: str, said: str) -> None:
    assert needs(tmp_path, letter + "\n").said == (said,)


def test_what_is_written_below_a_patchs_message_counts(tmp_path: Path) -> None:
    assert needs(tmp_path, "x\n", notes="Needs nothing.\nRebased on v6.12.").said == (
        "Rebased on v6.12.",
    )


def test_what_git_writes_below_a_message_does_not_count(tmp_path: Path) -> None:
    stat = (
        " kernel/dma/swiotlb.c       | 12 ++++++------\n"
        " Documentation/core-api/x.rst | Bin 0 -> 3 bytes\n"
        " 2 files changed, 6 insertions(+), 6 deletions(-)\n"
        " create mode 100644 Documentation/core-api/x.rst\n"
    )

    for notes in (f"Rebased on v6.12.\n{stat}", f"Rebased on v6.12.\n\n{stat}"):
        assert needs(tmp_path, "x\n", notes=notes).said == ("Rebased on v6.12.",)


def test_a_letter_that_needs_nothing_says_nothing(tmp_path: Path) -> None:
    found = needs(tmp_path, "Two notes about slots. Nobody asked.\n")

    assert (found, bool(found)) == (Prerequisites(), False)


def test_the_base_commit_is_found_where_git_format_patch_writes_it(tmp_path: Path) -> None:
    in_letter = needs(tmp_path, f"x\n\nbase-commit: {COMMIT}\n")
    in_patch = needs(tmp_path, "x\n", end=f"\nbase-commit: {COMMIT}\n")

    assert in_letter.base == in_patch.base == COMMIT
    assert str(in_letter) == f"base-commit: {COMMIT}"
