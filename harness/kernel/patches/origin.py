# SPDX-License-Identifier: Apache-2.0
"""Find a series: in files, a range of commits, or a message on a mailing list."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

from harness.base.errors import SeriesError, ToolError
from harness.kernel.patches.b4 import fetch
from harness.kernel.patches.files import STDIN, RawMail, split_mailbox
from harness.kernel.patches.mail import parse_mails
from harness.kernel.patches.series import Series, read_mails, read_paths
from harness.kernel.patches.thread import Skipped
from harness.kernel.source.git import git

FORMS = (
    "a mailbox, a Maildir, patch files or a directory of them, also compressed, - for standard "
    "input, a range of commits (base..tip, of the repository that --git names), or a "
    "message id or URL of a mailing list's archive (through b4)"
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
    if ".." in word and not word.startswith((".", "/", "http")):
        return read_range(repository, word)
    if "@" in word or word.startswith(("http://", "https://")):
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


def read_message(message: str) -> Series:
    """Fetch the thread of *message*, a message id or a URL, and read its series.

    A reply that carries a diff is a series of its own if it is the message that is named.
    """
    mails = [*split_mailbox("thread", fetch(message.strip("<>")))]
    named = [mail for mail in mails if _is_named(mail, message)]
    return read_mails(named or mails, message)


def _is_named(raw: RawMail, message: str) -> bool:
    """Whether a mail is the reply with a diff that *message* names."""
    return any(
        mail.is_reply and mail.is_patch and mail.message_id and mail.message_id in unquote(message)
        for mail in parse_mails(raw.name, raw.text)
    )


def _from_mailbox(mailbox: bytes, origin: str) -> Series:
    return read_mails([*split_mailbox("range", mailbox)], origin)
