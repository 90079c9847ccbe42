# SPDX-License-Identifier: Apache-2.0
"""Find a series: in files, a range of commits, or a message on a mailing list."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.base.errors import HostError, SeriesError, ToolError
from harness.base.tools import is_present, run_tool
from harness.kernel.patches.files import STDIN
from harness.kernel.patches.series import Series, read_paths
from harness.kernel.patches.thread import Skipped
from harness.kernel.source.git import git

FORMS = (
    "a mailbox, a Maildir, patch files or a directory of them, also compressed, - for standard "
    "input, a range of commits (base..tip, of the repository that --git names), or a message id "
    "(through b4)"
)

PLAIN = ("diff.noprefix=false", "diff.mnemonicPrefix=false", "format.pretty=email")
"""Resets user settings that change the output of ``git format-patch``."""

FORMAT = (
    *("format-patch", "--stdout", "--numbered", "--subject-prefix=PATCH", "--no-attach"),
    *("--no-signature", "--no-thread", "--no-base", "--no-notes", "--no-cover-letter"),
    *("--no-ext-diff", "--full-index", "--binary", "--no-color"),
)


def find_series(words: Sequence[str], repository: Path) -> Series:
    """Read the series that *words* name; SeriesError lists the accepted forms."""
    paths = [Path(word).expanduser() for word in words]
    if all(path == STDIN or path.exists() for path in paths):
        return read_paths(paths)
    if len(words) > 1:
        gone = ", ".join(str(path) for path in paths if not path.exists())
        raise SeriesError(f"no such file or directory: {gone}. Expected {FORMS}.")
    (word,) = words
    if ".." in word and not word.startswith((".", "/")):
        return read_range(repository, word)
    if "@" in word:
        return read_message(word)
    raise SeriesError(f"'{word}' is not a series: no such file or directory. Expected {FORMS}.")


def read_range(repository: Path, commits: str) -> Series:
    """Read the commits ``base..tip`` of *repository*; merges are skipped."""
    settings = [word for one in PLAIN for word in ("-c", one)]
    try:
        merges = git("-C", repository, "log", "--merges", "--format=%h %s", commits).decode()
        mailbox = git("-C", repository, *settings, *FORMAT, commits)
    except ToolError as fault:
        raise SeriesError(
            f"{repository} has no commits '{commits}': {fault}. Expected BASE..TIP of the "
            "repository that --git names."
        ) from fault
    if not mailbox:
        raise SeriesError(f"{commits} of {repository} contains no commit other than merges.")
    series = _from_mailbox(mailbox, f"{repository} {commits}")
    names = (line.partition(" ") for line in merges.splitlines())
    skipped = tuple(Skipped(name, subject, "a merge") for name, _, subject in names)
    return replace(series, skipped=(*series.skipped, *skipped))


def read_message(message_id: str) -> Series:
    """Fetch the newest version of the series that *message_id* belongs to, with ``b4``."""
    if not is_present("b4"):
        raise HostError(
            f"'{message_id}' is a message id, and the program 'b4' is not on this machine. Install "
            "it with: sudo apt-get install b4; or give the mailbox"
        )
    try:
        mailbox = run_tool(("b4", "--quiet", "am", "--outdir", "-", message_id.strip("<>")))
    except ToolError as fault:
        raise SeriesError(f"b4 has no series for '{message_id}': {fault}") from fault
    return _from_mailbox(mailbox, message_id)


def _from_mailbox(mailbox: bytes, origin: str) -> Series:
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "series.mbox"
        file.write_bytes(mailbox)
        return read_paths([file], origin)
