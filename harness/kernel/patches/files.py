# SPDX-License-Identifier: Apache-2.0
"""The files of a series: patch files, mailboxes, Maildirs and directories, split into mails."""

import codecs
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from harness.base.errors import SeriesError
from harness.kernel.patches.diff import with_prefix
from harness.kernel.patches.mime import is_mailbox
from harness.kernel.patches.unpack import no_archive, unpacked
from harness.kernel.source.git import git

SUFFIXES = frozenset({".patch", ".diff", ".mbox", ".mbx", ".eml"})
"""Suffixes of the files that are patches in a directory, also with one of COMPRESSED."""

COMPRESSED = frozenset({".gz", ".xz", ".bz2"})

_DATELESS = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From -(?=[ \t]*\r?\n[!-9;-~]+:)")
"""How some mail programs begin a mail of a mailbox; git wants a date there."""

_STRIP = re.compile(r"-p(\d)")

STDIN = Path("-")
"""The path that means standard input."""

ARCHIVE = b"From mboxrd@z "
"""How public-inbox begins each mail: ``>From`` in it was ``From`` (public-inbox(7), mboxrd)."""


@dataclass(frozen=True)
class RawMail:
    """A mail or a bare diff as it was found; *name* says where."""

    name: str
    text: bytes


@dataclass(frozen=True)
class Batch:
    """Mails that were given together. *sorted*: their order is the user's, as in quilt."""

    name: str
    mails: tuple[RawMail, ...]
    sorted: bool = False


def read_batches(paths: Sequence[Path]) -> list[Batch]:
    """Read what *paths* name. Single mails given one after the other are one batch.

    Raises SeriesError for what is absent, unreadable or empty of patches.
    """
    batches: list[Batch] = []
    joins = False
    for path in paths:
        batch = _read_batch(path)
        single = not path.is_dir() and len(batch.mails) == 1
        if single and joins:
            last = batches.pop()
            batch = Batch(f"{last.name} {batch.name}", last.mails + batch.mails)
        batches.append(batch)
        joins = single
    return batches


def _read_batch(path: Path) -> Batch:
    name = "standard input" if path == STDIN else str(path)
    if path == STDIN or path.is_file():
        return Batch(name, tuple(split_mailbox(path.name, read_file(path))))
    if not path.is_dir():
        raise SeriesError(f"no such file or directory: {path}. Expected a patch or a mailbox.")
    if _is_maildir(path):
        found = (file for part in ("cur", "new") for file in _by_number(path / part))
        return Batch(name, tuple(RawMail(file.name, read_file(file)) for file in found))
    listed = path / "series"
    if listed.is_file():
        return Batch(name, tuple(_quilted(listed)), sorted=True)
    files = _patch_files(path)
    mails = tuple(mail for file in files for mail in split_mailbox(file.name, read_file(file)))
    return Batch(name, mails)


def _is_maildir(path: Path) -> bool:
    return all((path / part).is_dir() for part in ("cur", "new"))


def _by_number(directory: Path) -> list[Path]:
    """The mails of a directory of a Maildir by the time of delivery that their names begin with."""
    found = (file for file in directory.iterdir() if not file.name.startswith("."))
    return sorted(found, key=lambda file: [part.zfill(20) for part in file.name.split(".")])


def _quilted(listed: Path) -> Iterator[RawMail]:
    """The patches that a quilt ``series`` file names, in its order, as for ``-p1`` (quilt(1))."""
    for line in read_file(listed).decode(errors="surrogateescape").splitlines():
        if words := line.partition("#")[0].split():
            file = listed.parent / words[0]
            levels = [int(found[1]) for word in words[1:] if (found := _STRIP.fullmatch(word))]
            for mail in split_mailbox(file.name, read_file(file)):
                other = levels and levels[-1] != 1
                yield replace(mail, text=with_prefix(mail.text, levels[-1])) if other else mail


def _patch_files(path: Path) -> list[Path]:
    found = sorted(file for file in path.iterdir() if is_patch_file(file))
    if not found:
        raise SeriesError(
            f"{path}: the directory contains no patch. Expected files that end in "
            f"{', '.join(sorted(SUFFIXES))} (or these with .gz or .xz), a quilt 'series' file, or "
            "a Maildir (cur/ and new/)."
        )
    return found


def is_patch_file(file: Path) -> bool:
    """Whether *file* is named as patches and mailboxes are, also compressed."""
    name = Path(file.stem) if file.suffix in COMPRESSED else file
    return name.suffix in SUFFIXES


def read_file(file: Path) -> bytes:
    """The content of a file, or of standard input, decompressed; SeriesError if unreadable."""
    if file == STDIN:
        return no_archive(unpacked(_standard_input(), "standard input"), "standard input")
    try:
        return no_archive(unpacked(file.read_bytes(), str(file)), str(file))
    except OSError as fault:
        raise SeriesError(f"the patch {file} cannot be read: {fault.strerror}") from fault


@cache
def _standard_input() -> bytes:
    return sys.stdin.buffer.read()


def split_mailbox(name: str, text: bytes) -> Iterator[RawMail]:
    """Yield the mails of a mailbox, or the one mail or diff that *text* is."""
    text = _in_utf8(text).lstrip(b"\r\n")
    if not is_mailbox(text):
        yield RawMail(name, text)
        return
    mode = ["--mboxrd"] if text.startswith(ARCHIVE) else ["-b"]
    with tempfile.TemporaryDirectory() as scratch:
        dated = _DATELESS.sub(b"From - Thu Jan  1 00:00:00 1970", text)
        git("mailsplit", *mode, f"-o{scratch}", data=dated)
        mails = sorted(Path(scratch).iterdir(), key=lambda mail: int(mail.name))
        for mail in mails:
            place = name if len(mails) == 1 else f"{name}#{mail.name}"
            yield RawMail(place, mail.read_bytes())


def _in_utf8(text: bytes) -> bytes:
    """*text* without a byte order mark; decoded if that is UTF-16, as some shells write."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return text.decode("utf-16", errors="replace").encode()
    return text.lstrip(b"\r\n").removeprefix(codecs.BOM_UTF8)
