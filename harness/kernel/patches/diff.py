# SPDX-License-Identifier: Apache-2.0
"""A diff as data: the files that it changes, and what makes it unsafe to apply."""

import os
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import NoReturn

from harness.base.cache import digest
from harness.base.errors import SeriesError
from harness.base.space import MIB

LARGEST_PATCH = 8 * MIB
"""Bytes of the largest patch that is applied; larger ones are generated tables of registers."""

FIRST_DIFF = re.compile(rb"^(--- \S.*\n\+\+\+ \S|diff --git )", re.MULTILINE)
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_NAME = re.compile(rb"(--- |\+\+\+ |(?:rename|copy) (?:from|to) |diff --git )(.+)")
_SUBMODULE = re.compile(
    rb"(?:(?:old|new|deleted) (?:file )?mode|index [0-9a-f]+\.\.[0-9a-f]+) 160000$"
)
_BINARY = re.compile(rb"(GIT binary patch|Binary files .* differ)$")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^ ]+)')
_FIRST = re.compile(rb'^"((?:[^"\\]|\\.)*)"|^([^\t]+)')
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_LETTERS = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))
_SLASHES = re.compile(rb"/+")
_PREFIX = re.compile(rb"^[ab]/")
_TOP = re.compile(rb"^[ab.]/")
_CONTROL = re.compile(rb"[\0-\x1f\x7f]")

NOWHERE = b"/dev/null"

LEVELS = (1, 0)
"""The N of ``-pN`` with which a diff may apply, the more usual first."""

LONGEST_PART, LONGEST_NAME = 255, 2048
"""Bytes of a file name (NAME_MAX, include/uapi/linux/limits.h), and of a whole path."""


@dataclass(frozen=True)
class Patch:
    """One patch: its name, its diff with the text around it, and its subject without tags."""

    name: str
    text: bytes
    subject: str = ""

    @property
    def identity(self) -> str:
        """A hash of the content without the name."""
        return digest(self.text)

    @property
    def paths(self) -> frozenset[str]:
        """A superset of the paths that the patch reads or writes.

        The names of a rename have one part less than others (git 2.39, apply.c:gitdiff_renamesrc).
        """
        depths = {max(level - less, 0) for level in LEVELS for less in (0, 1)}
        found = {stripped(name, depth) for name in self.names for depth in depths}
        return frozenset(posixpath.normpath(path) for path in found if _is_inside(path))

    @property
    def levels(self) -> tuple[int, ...]:
        """The N of ``-pN`` with which it may apply, the likeliest first.

        Old and new names that are equal, and do not begin with a directory of git or of find(1),
        are those of ``-p0``.
        """
        pairs = list(_pairs(self.text))
        plain = bool(pairs) and all(old == new and not _TOP.match(old) for old, new in pairs)
        return LEVELS[::-1] if plain else LEVELS

    @property
    def names(self) -> frozenset[str]:
        """The file names in the headers of its diffs, as they are written there."""
        lines = (line for part, line in _parts(self.text) if part is _Part.NAME)
        found = {name for line in lines for name in _names(line)}
        return frozenset(os.fsdecode(name) for name in found if not name.startswith(b"/"))


def has_diff(text: bytes) -> bool:
    """Whether *text* holds a diff."""
    return FIRST_DIFF.search(text) is not None


def with_prefix(text: bytes, level: int) -> bytes:
    """A diff for ``-p`` *level* as one for ``-p1``."""
    parts = _parts(text)
    lines = (_replaced(line, level) if part is _Part.NAME else line for part, line in parts)
    return b"\n".join(lines)


def _replaced(line: bytes, level: int) -> bytes:
    """A header line for ``-p`` *level* as one for ``-p1``; renames have one part less."""
    if not (found := _NAME.fullmatch(line)):
        return line
    kind, names = found.groups()
    moves = kind.startswith((b"rename", b"copy"))
    placed = partial(_placed, level - 1 if moves else level, b"" if moves else b"a/")
    return kind + (_WORD if kind.startswith(b"diff") else _FIRST).sub(placed, names)


def _placed(level: int, top: bytes, name: re.Match[bytes]) -> bytes:
    """A name in a header, perhaps quoted, less *level* parts, below *top*."""
    quoted, plain = name.groups()
    path = plain if quoted is None else quoted
    if path.startswith(b"/"):
        return name[0]
    path = top + b"/".join(path.split(b"/")[max(level, 0) :])
    return path if quoted is None else b'"%s"' % path


def mended(text: bytes) -> bytes:
    """*text* without what mail programs do to diffs: no-break spaces and wrapped lines."""
    lines: list[bytes] = []
    for part, line in _parts(text.replace("\xa0".encode(), b" ")):
        if part is _Part.HUNK and line and line[:1] not in b" +-\\":
            lines[-1] += b" " + line
        else:
            lines.append(line)
    return b"\n".join(lines)


def require_safe(patch: Patch) -> None:
    """Raise SeriesError for a patch that may write outside the tree, is binary or is huge."""
    if fault := next(_faults(patch.text), ""):
        refuse(patch, fault)


def refuse(patch: Patch, fault: str) -> NoReturn:
    """Raise SeriesError: *patch* is not safe to apply."""
    raise SeriesError(
        f"the patch {patch.name} is refused: {fault}. Nothing was written. Expected a patch in "
        "text form for files inside the kernel's tree."
    )


def _faults(text: bytes) -> Iterator[str]:
    if len(text) > LARGEST_PATCH:
        yield f"it has {len(text) / MIB:.1f} MiB, more than {LARGEST_PATCH // MIB} MiB"
    path = b""
    for part, line in _parts(text):
        if part is _Part.NAME:
            for name in _names(line):
                yield from _outside(name)
                path = _PREFIX.sub(b"", name) if name != NOWHERE else path
        elif part is _Part.REST and _SUBMODULE.match(line):
            yield f"it changes a submodule, {_said(path)}"
        elif part is _Part.REST and _BINARY.match(line):
            yield f"it changes the binary file {_said(path)}"


class _Part(Enum):
    """What a line of a patch is: a name of a file, a line of a hunk, or anything else."""

    NAME = 1
    HUNK = 2
    REST = 3


def _parts(text: bytes) -> Iterator[tuple[_Part, bytes]]:
    lines = text.split(b"\n")
    old = new = 0
    git = False
    for number, line in enumerate(lines):
        if old > 0 or new > 0:
            old -= line[:1] in (b"-", b" ", b"")
            new -= line[:1] in (b"+", b" ", b"")
            yield _Part.HUNK, line
        elif hunk := _HUNK.match(line):
            old, new = (int(count) if count is not None else 1 for count in hunk.groups())
            git = False
            yield _Part.REST, line
        else:
            git = git or line.startswith(b"diff --git ")
            before, after = lines[number - 1 : number], lines[number + 1 : number + 2]
            pair = (line.startswith(b"--- ") and after and after[0].startswith(b"+++ ")) or (
                line.startswith(b"+++ ") and before and before[0].startswith(b"--- ")
            )
            yield (_Part.NAME if pair or (git and _NAME.match(line)) else _Part.REST), line


def _pairs(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The old and the new name of each file that is neither made nor removed."""
    old = b""
    for part, line in _parts(text):
        names = _names(line) if part is _Part.NAME else []
        if line.startswith(b"diff --git ") and len(names) == 2:
            yield names[0], names[1]
        elif names and line.startswith(b"--- "):
            old = names[0]
        elif names and line.startswith(b"+++ ") and NOWHERE not in (old, names[0]):
            yield old, names[0]


def _names(line: bytes) -> list[bytes]:
    """The file names in a header line of a diff, unquoted.

    A line ``diff --git`` separates its two names by a blank; each may contain blanks itself.
    """
    if not (found := _NAME.fullmatch(line)):
        return []
    kind, rest = found.groups()
    quoted = [_ESCAPE.sub(_unescaped, name) for name in _QUOTED.findall(rest)]
    if kind.startswith(b"diff"):
        plain = _QUOTED.sub(b"", rest).strip()
        half = len(plain) // 2
        equal = [plain[:half], plain[half + 1 :]]
        same = not quoted and equal[0].partition(b"/")[2] == equal[1].partition(b"/")[2]
        return quoted + (equal if same else plain.split())
    return quoted or [_SLASHES.sub(b"/", rest.split(b"\t")[0].rstrip())]


def _unescaped(found: re.Match[bytes]) -> bytes:
    """One escape of a name that git quoted: three octal digits, or a letter as in C."""
    word = found[1]
    if word.isdigit() and len(word) == 3:
        return bytes([int(word, 8) & 0xFF])
    return bytes([_LETTERS.get(word[0], word[0])])


def _outside(name: bytes) -> Iterator[str]:
    """Why no file of the tree has that name."""
    parts = name.split(b"/")
    if name == NOWHERE:
        return
    if name.startswith(b"/"):
        yield f"it names an absolute path, {_said(name)}"
    elif b".." in parts:
        yield f"it names a path outside the tree, {_said(name)}"
    elif b".git" in name.lower().split(b"/"):
        yield f"it names a file of a git repository itself, {_said(name)}"
    elif _CONTROL.search(name):
        yield f"it names a file with a control character in its name, {_said(name)}"
    elif len(name) > LONGEST_NAME or any(len(part) > LONGEST_PART for part in parts):
        yield f"it names a file with a name of {len(name)} bytes, {_said(name[:40])}..."


def _said(name: bytes) -> str:
    """A name for a message, which control characters cannot change."""
    return _CONTROL.sub(lambda found: b"\\%03o" % found[0][0], name).decode(errors="replace")


def stripped(name: str, level: int) -> str:
    """The path that *name* in a diff means with ``-p`` *level*; empty if it has no more parts."""
    return "/".join(name.split("/")[level:])


def _is_inside(path: str) -> bool:
    """Whether *path* may be one of a kernel, which has no top directory a or b as git's names."""
    top, *rest = path.split("/")
    return top not in ("", "a", "b", "..") and ".." not in rest
