# SPDX-License-Identifier: Apache-2.0
"""A series from a git repository: a range of commits, or what one has done since upstream."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.base.errors import SeriesError, ToolError
from harness.kernel.patches.files import split_mailbox
from harness.kernel.patches.mail import parse_mails
from harness.kernel.patches.prerequisites import Prerequisites
from harness.kernel.patches.series import Series, read_mails
from harness.kernel.patches.thread import Skipped
from harness.kernel.source.git import git

PLAIN = ("diff.noprefix=false", "diff.mnemonicPrefix=false", "format.pretty=email")
"""Resets user settings that change the output of ``git format-patch`` and ``git diff``."""

SAME = ("--no-ext-diff", "--no-textconv", "--full-index", "--binary", "--no-color")
"""Makes a diff that can be applied, whatever the user's settings are."""

FORMAT = (
    *("format-patch", "--stdout", "--numbered", "--subject-prefix=PATCH", "--no-attach"),
    *("--no-signature", "--no-thread", "--no-base", "--no-notes", "--no-cover-letter", *SAME),
)

UPSTREAMS = ("@{upstream}", "origin/HEAD", "origin/master", "origin/main")
"""Where work begins, the surest first."""

TAGS = "v[0-9]*"
"""The names of the kernel's releases."""

MOST_NAMED = 5
"""Untracked files that are named."""


def read_range(repository: Path, commits: str) -> Series:
    """Read the commits ``base..tip`` of *repository*; merges are skipped."""
    try:
        merges = git("-C", repository, "log", "--merges", "--format=%h %s", commits).decode()
        mailbox = _plain(repository, *FORMAT, commits)
    except ToolError as fault:
        reason = fault.complaint.splitlines()[0].rstrip(".")
        raise SeriesError(
            f"{repository.resolve()} has no commits '{commits}': {reason}. "
            "Expected BASE..TIP of the repository that --git names."
        ) from fault
    if not mailbox:
        raise SeriesError(f"{commits} of {repository} contains no commit other than merges.")
    series = read_mails([*split_mailbox("commits", mailbox)], f"{repository} {commits}")
    names = (line.partition(" ") for line in merges.splitlines())
    skipped = tuple(Skipped(name, subject, "a merge") for name, _, subject in names)
    return replace(
        series, skipped=(*series.skipped, *skipped), needs=Prerequisites(_base(repository, commits))
    )


def read_own_work(directory: Path) -> Series:
    """Read the commits since upstream and the uncommitted changes of the tree around *directory*.

    Raises SeriesError outside a kernel's git tree, or if there is nothing.
    """
    top = _top(directory)
    base = _upstream(top)
    changes = _plain(top, "diff", *SAME, "HEAD")
    ahead = git("-C", top, "rev-list", "--no-merges", f"{base}..HEAD").split()
    if not ahead and not changes:
        raise SeriesError(
            f"{top} has no commits since {base[:12]}, where upstream is, and no uncommitted "
            "changes. Name a series, or commits as BASE..TIP."
        )
    origin = f"{top}, the work since {base[:12]}"
    if ahead:
        series = replace(read_range(top, f"{base}..HEAD"), origin=origin)
    else:
        series = Series(origin, ())
    (work,) = parse_mails("uncommitted changes", changes)
    patches = (*series.patches, *([work] if changes else ()))
    skipped = (*series.skipped, *_untracked(top))
    return replace(series, patches=patches, skipped=skipped, needs=Prerequisites(base))


def _top(directory: Path) -> Path:
    try:
        top = Path(git("-C", directory, "rev-parse", "--show-toplevel").decode().strip())
    except ToolError as fault:
        raise SeriesError(
            f"{directory.resolve()} is not inside a git tree. Name a series, or a kernel's git "
            "tree with --git=DIR."
        ) from fault
    if not all((top / name).exists() for name in ("Kconfig", "Makefile", "kernel/dma")):
        raise SeriesError(
            f"{top} is not a kernel's tree. Name a series, or a kernel's git tree with --git=DIR."
        )
    return top


def _upstream(top: Path) -> str:
    """The commit that the work in *top* is based on: of its upstream, else of the last release."""
    for name in UPSTREAMS:
        try:
            return git("-C", top, "merge-base", "HEAD", name).decode().strip()
        except ToolError:
            continue
    try:
        tag = (
            git("-C", top, "describe", "--tags", "--abbrev=0", f"--match={TAGS}", "HEAD")
            .decode()
            .strip()
        )
        return git("-C", top, "rev-parse", f"{tag}^{{commit}}").decode().strip()
    except ToolError as fault:
        raise SeriesError(
            f"{top} has no upstream and no tag of a release. Set one with: git branch "
            "--set-upstream-to=BRANCH; or name the commits as BASE..TIP."
        ) from fault


def _base(repository: Path, commits: str) -> str:
    """Where a range of commits begins; empty if it has no common commit."""
    first, _, last = commits.partition("...") if "..." in commits else commits.partition("..")
    try:
        words = ("merge-base", first or "HEAD", last or "HEAD")
        return git("-C", repository, *words).decode().strip()
    except ToolError:
        return ""


def _untracked(top: Path) -> Sequence[Skipped]:
    """The files that git does not know, which are no part of the work."""
    words = ("ls-files", "--others", "--exclude-standard", "-z")
    names = git("-C", top, *words).decode(errors="replace").split("\0")[:-1]
    if not names:
        return ()
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    said = f"{', '.join(names[:MOST_NAMED])}{more}"
    return (Skipped(said, "", "untracked; take new files along with: git add -N FILE"),)


def _plain(repository: Path, *words: str) -> bytes:
    settings = [word for one in PLAIN for word in ("-c", one)]
    return git("-C", repository, *settings, *words)
