# SPDX-License-Identifier: Apache-2.0
"""Read patch series: patch files, mailboxes and directories of them."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.cache import digest
from harness.base.errors import SeriesError
from harness.kernel.source.git import git

SUFFIXES = frozenset({".patch", ".diff", ".mbox", ".mbx", ".eml"})
"""Suffixes of the files that are patches in a directory."""

_MAIL = re.compile(rb"(From |([A-Za-z-]+: .*\n([ \t].*\n)*)*Subject: )")
_DIFF = re.compile(rb"^(--- \S.*\n\+\+\+ \S|diff --git )", re.MULTILINE)
_TOUCHED = re.compile(rb"^(?:--- |\+\+\+ |(?:rename|copy) (?:from|to) )([^\t\n]+)", re.MULTILINE)
_SUBJECT = re.compile(r"^Subject: (.*)$", re.MULTILINE)
_HEADER = re.compile(rb"^diff --git a/(\S+) b/(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Patch:
    """One patch: its name, its diff with the text around it, and its mail's subject."""

    name: str
    text: bytes
    subject: str = ""

    @property
    def identity(self) -> str:
        """A hash of the content without the name."""
        return digest(self.text)

    @property
    def paths(self) -> frozenset[str]:
        """A superset of the paths that the patch reads or writes."""
        plain = {_strip(name) for name in _TOUCHED.findall(self.text)}
        both = {name for pair in _HEADER.findall(self.text) for name in pair}
        names = (name.decode(errors="surrogateescape") for name in plain | both)
        return frozenset(name for name in names if _is_inside(name))


@dataclass(frozen=True)
class MailParts:
    """The parts of a mail by ``git mailinfo``: headers, message up to ``---``, the rest."""

    headers: str
    message: str
    diff: bytes

    @property
    def has_diff(self) -> bool:
        """Whether there is anything to apply."""
        return has_diff(self.diff)


def read_series(paths: Sequence[Path]) -> tuple[Patch, ...]:
    """Read patch files, mailboxes and directories of them into one series, in the given order.

    A directory's patches follow its ``series`` file (quilt) if it has one, else their names.
    Mails without a diff, such as cover letters, are left out. Raises SeriesError.
    """
    return tuple(patch for path in paths for file in patch_files(path) for patch in _patches(file))


def patch_files(path: Path) -> Sequence[Path]:
    """The files of a series that *path* names: itself, or those of a directory, in their order."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SeriesError(f"--series {path}: no such file or directory")
    listed = path / "series"
    if listed.is_file():
        lines = (line.partition("#")[0].split() for line in listed.read_text().splitlines())
        return [path / words[0] for words in lines if words]
    found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not found:
        raise SeriesError(
            f"--series {path}: the directory contains no patch. Expected files that end in "
            f"{', '.join(sorted(SUFFIXES))}, or a quilt 'series' file."
        )
    return found


def read_file(file: Path) -> bytes:
    """The content of a patch or mailbox; SeriesError if it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as fault:
        raise SeriesError(f"the patch {file} cannot be read: {fault.strerror}") from fault


def has_diff(text: bytes) -> bool:
    """Whether *text* holds a diff."""
    return _DIFF.search(text) is not None


def is_mail(text: bytes) -> bool:
    """Whether *text* is a mail or a mailbox, and not a bare diff."""
    return _MAIL.match(text) is not None


def split_mailbox(mailbox: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the raw text of each mail of a file."""
    with tempfile.TemporaryDirectory() as scratch:
        git("mailsplit", "-b", f"-o{scratch}", mailbox)
        mails = sorted(Path(scratch).iterdir())
        for mail in mails:
            name = mailbox.name if len(mails) == 1 else f"{mailbox.name}#{mail.name}"
            yield name, mail.read_bytes()


def take_apart(mail: bytes) -> MailParts:
    """Decode a mail; the subject among its headers keeps its tags."""
    with tempfile.TemporaryDirectory() as scratch:
        message, diff = Path(scratch) / "message", Path(scratch) / "diff"
        headers = git("mailinfo", "-k", message, diff, data=mail).decode(errors="replace")
        return MailParts(headers, message.read_text(errors="replace"), diff.read_bytes())


def _patches(file: Path) -> Iterator[Patch]:
    text = read_file(file)
    if is_mail(text):
        patches = [_mailed(name, mail) for name, mail in split_mailbox(file)]
    else:
        patches = [Patch(file.name, text)]
    kept = [patch for patch in patches if has_diff(patch.text)]
    if not kept:
        raise SeriesError(f"{file} contains no diff. Expected a patch in unified format, or mails.")
    yield from kept


def _mailed(name: str, mail: bytes) -> Patch:
    parts = take_apart(mail)
    subject = _SUBJECT.search(parts.headers)
    return Patch(name, parts.diff, subject[1] if subject else "")


def _strip(name: bytes) -> bytes:
    """Take ``a/`` or ``b/`` from a path, as ``-p1`` does."""
    return name.partition(b"/")[2] if name.startswith((b"a/", b"b/")) else name


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")
