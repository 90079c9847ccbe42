# SPDX-License-Identifier: Apache-2.0
"""Patch series: reading them in all the forms they come in."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cache import digest
from harness.errors import SeriesError
from harness.kernel.git import git

SUFFIXES = frozenset({".patch", ".diff", ".mbox", ".mbx", ".eml"})
"""Files that count as patches when a directory is given."""

_MAIL = re.compile(rb"(From |([A-Za-z-]+: .*\n([ \t].*\n)*)*Subject: )")
_DIFF = re.compile(rb"^(--- \S.*\n\+\+\+ \S|diff --git )", re.MULTILINE)
_TOUCHED = re.compile(rb"^(?:--- |\+\+\+ |(?:rename|copy) (?:from|to) )([^\t\n]+)", re.MULTILINE)
_HEADER = re.compile(rb"^diff --git a/(\S+) b/(\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Patch:
    """One patch: the name to show, and its diff with whatever prose stands around it."""

    name: str
    text: bytes

    @property
    def identity(self) -> str:
        """A hash of the content; the name does not count."""
        return digest(self.text)

    @property
    def paths(self) -> frozenset[str]:
        """Every path that the patch may read or write, and perhaps a few more."""
        plain = {_strip(name) for name in _TOUCHED.findall(self.text)}
        both = {name for pair in _HEADER.findall(self.text) for name in pair}
        names = (name.decode(errors="surrogateescape") for name in plain | both)
        return frozenset(name for name in names if _is_inside(name))


def read_series(paths: Sequence[Path]) -> tuple[Patch, ...]:
    """Read patch files, mailboxes and directories of them into one series, in the given order.

    A directory's patches follow its ``series`` file (quilt) if it has one, else their names.
    Mails without a diff, such as cover letters, are left out. Raises SeriesError.
    """
    return tuple(patch for path in paths for file in _files(path) for patch in _patches(file))


def _files(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise SeriesError(f"--series {path}: there is no such file or directory.")
    listed = path / "series"
    if listed.is_file():
        lines = (line.partition("#")[0].split() for line in listed.read_text().splitlines())
        return [path / words[0] for words in lines if words]
    found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    if not found:
        raise SeriesError(
            f"--series {path}: the directory holds no patch. Expected files that end in "
            f"{', '.join(sorted(SUFFIXES))}, or a quilt 'series' file."
        )
    return found


def _patches(file: Path) -> Iterator[Patch]:
    try:
        text = file.read_bytes()
    except OSError as fault:
        raise SeriesError(f"the patch {file} can not be read: {fault.strerror}.") from fault
    patches = list(_split_mails(file)) if _MAIL.match(text) else [Patch(file.name, text)]
    kept = [patch for patch in patches if _DIFF.search(patch.text)]
    if not kept:
        raise SeriesError(f"{file} holds no diff. Expected a patch in unified format, or mails.")
    yield from kept


def _split_mails(mailbox: Path) -> Iterator[Patch]:
    with tempfile.TemporaryDirectory() as scratch:
        git("mailsplit", "-b", f"-o{scratch}", mailbox)
        mails = sorted(Path(scratch).iterdir())
        for mail in mails:
            message, diff = Path(scratch) / "message", Path(scratch) / "diff"
            git("mailinfo", message, diff, data=mail.read_bytes())
            name = mailbox.name if len(mails) == 1 else f"{mailbox.name}#{mail.name}"
            yield Patch(name, diff.read_bytes())


def _strip(name: bytes) -> bytes:
    """Take ``a/`` or ``b/`` from a path, as ``-p1`` does."""
    return name.partition(b"/")[2] if name.startswith((b"a/", b"b/")) else name


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")
