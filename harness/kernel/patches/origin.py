# SPDX-License-Identifier: Apache-2.0
"""Find a series: in files, a range of commits, or a message on a mailing list."""

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from harness.base.errors import HarnessError, SeriesError, explain
from harness.kernel.patches.b4 import fetch
from harness.kernel.patches.files import STDIN, RawMail, is_patch_file, split_mailbox
from harness.kernel.patches.mail import parse_mails
from harness.kernel.patches.repository import read_own_work, read_range
from harness.kernel.patches.series import Series, read_mails, read_paths, store_prefix

FORMS = (
    "a mailbox, a Maildir, patch files or a directory of them, also compressed, - for standard "
    "input, a range of commits (base..tip, of the repository here or of --git), or a message id or "
    "URL of a mailing list's archive (through b4)"
)


def find_series(words: Sequence[str], repository: Path) -> Series:
    """Read the series that *words* name; SeriesError lists the accepted forms.

    Without words, the work in *repository*: its commits since upstream, and what is not committed.
    """
    if not words:
        return read_own_work(repository)
    paths = [Path(word).expanduser() for word in words]
    if all(path == STDIN or path.exists() for path in paths):
        return read_paths(paths)
    if len(words) > 1:
        gone = ", ".join(str(path) for path in paths if not path.exists())
        raise SeriesError(f"no such file or directory: {gone}. Expected {FORMS}.")
    (word,) = words
    if _is_message(word):
        return read_message(word)
    if _is_range(word):
        return read_range(repository, word)
    raise SeriesError(f"'{word}' is not a series: no such file or directory. Expected {FORMS}.")


@cache
def series_path(word: str) -> Path:
    """The value of ``--series``: a path as it is; for what else names a series, where it is stored.

    For argparse, whose error ends the program with the message; pytest asks several times.
    """
    path = Path(word).expanduser()
    if path != STDIN and (path.exists() or not (_is_message(word) or _is_range(word))):
        return path
    try:
        series = find_series([word], Path())
    except HarnessError as fault:
        raise argparse.ArgumentTypeError(explain(fault)) from fault
    (stored,) = store_prefix(series, len(series.patches))
    return stored


def _is_message(word: str) -> bool:
    """Whether *word* is a URL or a message id, rather than a file that does not exist."""
    if word.startswith(("http://", "https://")):
        return True
    return "@" in word and not _is_path(word) and not is_patch_file(Path(word))


def _is_range(word: str) -> bool:
    return ".." in word and not _is_path(word)


def _is_path(word: str) -> bool:
    return word.startswith((".", "/", "~"))


def read_message(message: str) -> Series:
    """Fetch the thread of *message*, a message id or a URL, and read its series.

    A reply that carries a diff is a series of its own if it is the message that is named.
    """
    mails = [*split_mailbox("thread", fetch(message.strip("<>")))]
    named = [mail for mail in mails if _is_named(mail, message)]
    return read_mails(named or mails, message)


def _is_named(raw: RawMail, message: str) -> bool:
    """Whether a mail is the reply with a diff that *message* names."""
    patches = [mail for mail in parse_mails(raw.name, raw.text) if mail.is_reply and mail.is_patch]
    ids = {mail.parents[0] if mail.outer else mail.message_id for mail in patches}
    return any(one and one in unquote(message) for one in ids)
