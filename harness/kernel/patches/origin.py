# SPDX-License-Identifier: Apache-2.0
"""Find a series: in files, a range of commits, or a message on a mailing list."""

import argparse
import json
import os
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path
from urllib.parse import unquote

from harness.base.errors import HarnessError, SeriesError, explain
from harness.kernel.patches.b4 import fetch
from harness.kernel.patches.files import STDIN, RawMail, is_patch_file, split_mailbox
from harness.kernel.patches.mail import parse_mails
from harness.kernel.patches.repository import read_own_work, read_range
from harness.kernel.patches.series import (
    Series,
    join_series,
    read_mails,
    read_paths,
    store_prefix,
)

FORMS = (
    "a mailbox, a Maildir, patch files or a directory of them, also compressed, - for standard "
    "input, a range of commits (base..tip, of the repository here or of --git), or a message id or "
    "URL of a mailing list's archive (through b4)"
)

STORED = "HARNESS_STORED_SERIES"
"""Environment variable for child processes, JSON: by directory and word, where what a message or a
range of commits names is stored."""


def find_series(words: Sequence[str], repository: Path) -> Series:
    """Read the series that *words* name; SeriesError lists the accepted forms.

    Without words, the work in *repository*: its commits since upstream, and what is not committed.
    """
    if not words:
        return read_own_work(repository)
    parts: list[Series] = []
    for exist, group in groupby(words, _exists):
        if exist:
            parts.append(read_paths([_path(word) for word in group]))
        else:
            parts += [_find_named(word, repository) for word in group]
    return join_series(parts)


def _exists(word: str) -> bool:
    path = _path(word)
    try:
        return path == STDIN or path.exists()
    except OSError:  # a name that no file can have
        return False


def _path(word: str) -> Path:
    """The path *word*, where ``~`` is the home directory; SeriesError for an unknown user."""
    try:
        return Path(word).expanduser()
    except RuntimeError as fault:
        raise SeriesError(f"'{word}': {fault}") from fault


def _find_named(word: str, repository: Path) -> Series:
    """The series of a message or a range of commits."""
    if _is_message(word):
        return read_message(word)
    if _is_range(word):
        return read_range(repository, word)
    raise SeriesError(f"'{word}' is not a series: no such file or directory. Expected {FORMS}.")


@cache
def series_path(word: str) -> Path:
    """The value of ``--series``: a path as it is; for what else names a series, where it is stored.

    For argparse, whose error ends the program with the message; pytest asks several times, and
    each worker of pytest-xdist parses the command line again: STORED has what its controller
    fetched.
    """
    known = json.loads(os.environ.get(STORED, "{}"))
    key = f"{Path.cwd()}: {word}"  # a range of commits is of the repository here
    if key in known and Path(known[key]).is_dir():
        return Path(known[key])
    try:
        path = store_named(word, Path())
    except HarnessError as fault:
        raise argparse.ArgumentTypeError(explain(fault)) from fault
    if path in _NAMED:
        os.environ[STORED] = json.dumps({**known, key: str(path)})
    return path


def store_named(word: str, folder: Path) -> Path:
    """The path *word*, relative to *folder*; for a message or a range, where it is stored.

    A path need not exist. Raises SeriesError; a range is one of the repository *folder*.
    """
    path = _path(word)
    if path == STDIN or _exists(str(folder / path)) or not (_is_message(word) or _is_range(word)):
        return path if path == STDIN else folder / path
    series = _find_named(word, folder)
    (stored,) = store_prefix(series, len(series.patches))
    _NAMED[stored] = series
    return stored


_NAMED: dict[Path, Series] = {}
"""What :func:`store_named` stored, with all that was read."""


def stored_series(paths: Sequence[Path]) -> Series:
    """The series that *paths* name, as it was read where :func:`store_named` stored it."""
    found: list[Series] = []
    for stored, group in groupby(paths, _NAMED.__contains__):
        members = list(group)
        found += [_NAMED[path] for path in members] if stored else [read_paths(members)]
    return join_series(found)


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
