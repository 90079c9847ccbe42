# SPDX-License-Identifier: Apache-2.0
"""A diff as data: the files that it changes, and what makes it unsafe to apply."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from harness.base.cache import digest
from harness.base.errors import SeriesError
from harness.base.space import MIB

LARGEST_PATCH = 8 * MIB
"""Bytes of the largest patch that is applied; larger ones are generated tables of registers."""

FIRST_DIFF = re.compile(rb"^(--- \S.*\n\+\+\+ \S|diff --git )", re.MULTILINE)
_TOUCHED = re.compile(rb"^(?:--- |\+\+\+ |(?:rename|copy) (?:from|to) )([^\t\n]+)", re.MULTILINE)
_HEADER = re.compile(rb"^diff --git a/(\S+) b/(\S+)$", re.MULTILINE)
_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_NAME = re.compile(rb"(--- |\+\+\+ |(?:rename|copy) (?:from|to) |diff --git )(.+)")
_LINK = re.compile(rb"(?:new (?:file )?mode|index [0-9a-f]+\.\.[0-9a-f]+) 120000$")
_BINARY = re.compile(rb"(GIT binary patch|Binary files .* differ)$")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")

NOWHERE = b"/dev/null"


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
        """A superset of the paths that the patch reads or writes."""
        plain = {_strip(name) for name in _TOUCHED.findall(self.text)}
        both = {name for pair in _HEADER.findall(self.text) for name in pair}
        names = (name.decode(errors="surrogateescape") for name in plain | both)
        return frozenset(name for name in names if _is_inside(name))


def has_diff(text: bytes) -> bool:
    """Whether *text* holds a diff."""
    return FIRST_DIFF.search(text) is not None


def require_safe(patch: Patch) -> None:
    """Raise SeriesError for a patch that may write outside the tree, is binary or is huge."""
    if fault := next(_faults(patch.text), ""):
        raise SeriesError(
            f"the patch {patch.name} is refused: {fault}. Nothing was written. Expected a patch in "
            "text form for files inside the kernel's tree."
        )


def _faults(text: bytes) -> Iterator[str]:
    if len(text) > LARGEST_PATCH:
        yield f"it has {len(text) / MIB:.1f} MiB, more than {LARGEST_PATCH // MIB} MiB"
    path, link = b"", False
    for part, line in _parts(text):
        if part is _Part.NAME and (found := _NAME.fullmatch(line)):
            link = link and not found[1].startswith(b"diff")
            for name in _names(found[1], found[2]):
                yield from _outside(name)
                path = _strip(name) if name != NOWHERE else path
        elif part is _Part.REST and _LINK.match(line):
            link = True
        elif part is _Part.REST and _BINARY.match(line):
            yield f"it changes the binary file {path.decode(errors='replace')}"
        elif part is _Part.HUNK and link and line.startswith(b"+"):
            yield from _leaves_tree(path, line[1:])


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


def _names(kind: bytes, rest: bytes) -> list[bytes]:
    """The file names in a header line of a diff, unquoted."""
    quoted = [_ESCAPE.sub(_unescaped, name) for name in _QUOTED.findall(rest)]
    if kind.startswith(b"diff"):
        return quoted + [word for word in _QUOTED.sub(b"", rest).split(b" ") if word]
    return quoted or [rest.split(b"\t")[0].rstrip()]


def _unescaped(found: re.Match[bytes]) -> bytes:
    """One escape of a name that git quoted: three octal digits, or a letter as in C."""
    word = found[1]
    return bytes([int(word, 8) & 0xFF]) if word.isdigit() and len(word) == 3 else word


def _outside(name: bytes) -> Iterator[str]:
    said = name.decode(errors="replace")
    if name == NOWHERE:
        return
    if name.startswith(b"/"):
        yield f"it names an absolute path, {said}"
    elif b".." in name.split(b"/"):
        yield f"it names a path outside the tree, {said}"
    elif b".git" in name.lower().split(b"/"):
        yield f"it names a file of a git repository itself, {said}"


def _leaves_tree(path: bytes, target: bytes) -> Iterator[str]:
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if whole.startswith((b"/", b"..")):
        said = (one.decode(errors="replace") for one in (path, target))
        yield "it makes a link out of the tree, {} -> {}".format(*said)


def _strip(name: bytes) -> bytes:
    """Take ``a/`` or ``b/`` from a path, as ``-p1`` does."""
    return name.partition(b"/")[2] if name.startswith((b"a/", b"b/")) else name


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and ".." not in name.split("/")
