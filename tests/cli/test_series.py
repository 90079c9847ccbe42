# SPDX-License-Identifier: Apache-2.0
"""``harness series`` shows what was read, and ``harness validate`` on what it is judged."""

from argparse import Namespace
from pathlib import Path

import pytest
from kernel_trees import AREAS_PATCH, SLOTS_PATCH, tiny_tree
from mail_threads import KIM, Post, mbox, series
from scratch_git import git

from harness.cli import main
from harness.cli.validate import _base
from harness.kernel.patches.origin import find_series
from harness.kernel.source.workspace import open_workspace
from harness.kernel.spec import DEFAULT_SOURCE

pytestmark = pytest.mark.usefixtures("cache")


def unpack(workspace: str, slots: int = 128) -> None:
    """Cache a kernel source, whose swiotlb.c has that many slots."""
    with open_workspace(workspace) as opened:
        opened.tree.replace(workspace, lambda fresh: tiny_tree(fresh) and None)
        text = f"int slots = {slots};\nint areas = 1;\nint used;\n"
        (opened.tree.source / "kernel/dma/swiotlb.c").write_text(text)


def show(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str]:
    code = main(["series", *map(str, words)])
    return code, " ".join(capsys.readouterr().out.split())


def test_all_that_was_read_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = tmp_path / "thread.mbox"
    letter = Post("[PATCH v2 0/3] changes", "v2-0", "v1-0", body="Applies on top of v6.12.\n")
    review = Post("Re: a", "r", "v2-1", body="Acked-by: Kim <kim@example.org>\n", sender=KIM)
    box.write_bytes(mbox(*series(3), letter, *series(3, 2)[1:3], review))

    code, said = show(capsys, box)

    assert code == 0
    for part in (
        "series changes (2 patches)",
        "1/2 change 1 from thread.mbox#0006 author Dana Example <dana@example.org>",
        "Acked-by: Kim <kim@example.org> (from a reply)",
        "Missing, by the subjects' numbers: patch 3.",
        'Left out: thread.mbox#0001 "changes": of version 1; the newest is 2',
        "The series says that it needs: Applies on top of v6.12.",
        "No kernel source is in the cache",
    ):
        assert part in said


def test_each_cached_kernel_is_tried_without_building(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unpack("debian-6.12")
    unpack("debian-sid-linux-source-7.3", slots=64)
    unpack("git-0123", slots=1)
    patch = tmp_path / "slots.patch"
    patch.write_bytes(SLOTS_PATCH)

    code, said = show(capsys, patch)

    assert code == 0
    assert "debian:6.12 (6.12.3): yes" in said
    assert "debian:sid/linux-source-7.3 (6.12.3): already applied (all hunks, reversed)" in said
    assert "a git source (6.12.3): no; patch 1/1" in said
    assert "does not apply: kernel/dma/swiotlb.c, hunk 1" in said


def test_a_tree_that_another_run_uses_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unpack("debian-6.12")
    patch = tmp_path / "slots.patch"
    patch.write_bytes(SLOTS_PATCH)

    with open_workspace("debian-6.12"):
        _, said = show(capsys, patch)

    assert "debian:6.12 (6.12.3): not tried, another run uses its tree" in said


@pytest.mark.parametrize(("diff", "code"), [(SLOTS_PATCH, 0), (AREAS_PATCH, 1)])
def test_the_exit_code_says_whether_it_applies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], diff: bytes, code: int
) -> None:
    (tmp_path / "x.patch").write_bytes(diff)
    tree = tiny_tree(tmp_path / "linux")

    assert show(capsys, tmp_path / "x.patch", f"--kernel={tree}")[0] == code


def test_an_unsafe_patch_is_shown_and_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.patch").write_bytes(SLOTS_PATCH.replace(b"b/kernel", b"/kernel"))

    code, said = show(capsys, tmp_path / "x.patch")

    assert (code, "x.patch is refused: it names an absolute path" in said) == (1, True)


def test_what_cannot_be_read_is_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(capsys, "absent.mbox")[0] == 2


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tiny_tree(tmp_path / "linux")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "base")
    return root


def based_on(tmp_path: Path, commit: str) -> list[str]:
    path = tmp_path / "based.patch"
    path.write_bytes(SLOTS_PATCH + f"-- \nbase-commit: {commit}\n".encode())
    return [str(path)]


def test_with_a_repository_the_base_commit_is_the_kernel(tmp_path: Path, repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    words = based_on(tmp_path, commit)
    found = find_series(words, Path())

    with_git = Namespace(git=repository, series=words)
    without = Namespace(git=None, series=words)

    assert _base(with_git, found) == f"git:{repository}@{commit}"
    assert _base(without, found) == DEFAULT_SOURCE


def test_a_base_commit_that_the_repository_lacks_is_said(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("harness.cli.validate.say", said.append)
    words = based_on(tmp_path, "0" * 40)

    kernel = _base(Namespace(git=repository, series=words), find_series(words, Path()))

    assert kernel == DEFAULT_SOURCE
    assert "has no base-commit 000000" in said[0]
