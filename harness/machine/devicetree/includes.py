# SPDX-License-Identifier: Apache-2.0
"""The files of a devicetree source: which it may include, and the source with them in place."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from harness.base.errors import DevicetreeError
from harness.base.space import MIB, size_text
from harness.machine.devicetree.flat import MAGIC, MOST

STDIN = "-"
MOST_SOURCE = 16 * MIB
"""Bytes of a source that are read."""

DEEPEST_INCLUDE = 32

_TOKEN = re.compile(
    rb"//[^\n]*|/\*.*?\*/"
    rb'|"(?:[^\\"]|\\.)*"'
    rb"|'(?:[^\\']|\\.)+'"
    rb'|^\#[ \t]*(?:line[ \t]+)?(?P<line>\d+)[ \t]+"(?P<file>(?:[^"\\\n]|\\.)*)"[^\n]*'
    rb'|/include/[ \t\n]*"(?P<include>(?:[^\\"]|\\.)*)"'
    rb'|(?P<incbin>/incbin/[ \t\n]*\([ \t\n]*)"(?P<binary>(?:[^\\"]|\\.)*)"'
    rb"|(?P<stray>/(?:include|incbin)/)",
    re.MULTILINE | re.DOTALL,
)


class AllowedFiles:
    """Which files a source may include: below its directory, *search* and *more* directories."""

    def __init__(self, path: str, search: Sequence[Path], more: Sequence[Path] = ()) -> None:
        self.path = path
        roots = [one.resolve() for one in more]
        if path != STDIN:
            roots += [Path(path).resolve().parent, Path(path).parent.resolve()]
        for one in search:
            roots.append(one.resolve())
            if one.is_dir():  # links in a directory that the user gave are the user's
                roots += (entry.resolve() for entry in one.iterdir() if entry.is_symlink())
        self.roots = roots

    def check_all(self, names: Iterable[str]) -> None:
        """Raise DevicetreeError for the first file that is not below an allowed directory."""
        for name in dict.fromkeys(names):
            if not name.startswith("<") and name != self.path:
                self.check(name, self.path)

    def check(self, name: str, used_in: str) -> None:
        """Raise DevicetreeError unless the file *name*, found in *used_in*, is allowed."""
        real = Path(os.path.realpath(name))
        if not any(real.is_relative_to(root) for root in self.roots):
            raise DevicetreeError(
                f"{used_in}: it includes {name}, which is neither below its directory nor below a "
                "directory given with --include. Give that directory, if you trust the source."
            )


class IncludeExpander:
    """Resolves ``/include/`` and the paths of ``/incbin/``, so that dtc opens nothing else."""

    def __init__(self, allowed: AllowedFiles, search: Sequence[Path]) -> None:
        self.allowed, self.search = allowed, search
        self.size = 0

    def expand(self, text: bytes, name: str, depth: int) -> bytes:
        """*text* of file *name* with everything included."""
        self.size += len(text)
        if self.size > MOST_SOURCE * 2 or depth > DEEPEST_INCLUDE:
            raise DevicetreeError(f"{name}: its includes are too deep or too large")
        pieces: list[bytes] = []
        at, line_at, line, file = 0, 0, 1, name
        for token in _TOKEN.finditer(text):
            here = line + text.count(b"\n", line_at, token.start())
            if token["line"]:
                line, file = int(token["line"]), os.fsdecode(token["file"])
                line_at = token.end() + 1
            elif token["include"] is not None:
                found = self._find(token["include"], file, here)
                inner = self.expand(read_source(str(found)), str(found), depth + 1)
                pieces += [
                    text[at : token.start()],
                    b'\n# 1 "%s"\n' % os.fsencode(found),
                    inner,
                    b'\n# %d "%s"\n' % (here, os.fsencode(file)),
                ]
                at = token.end()
            elif token["incbin"]:
                found = self._find(token["binary"], file, here)
                if found.stat().st_size > MOST or not found.is_file():
                    raise DevicetreeError(f"{file}:{here}: {found} is not a file below 8 MiB")
                binary = os.fsencode(found.absolute())
                pieces += [text[at : token.start()], token["incbin"], b'"%s"' % binary]
                at = token.end()
            elif token["stray"]:
                raise DevicetreeError(f"{file}:{here}: {token[0].decode()} without a file name")
        return b"".join((*pieces, text[at:]))

    def _find(self, raw: bytes, file: str, line: int) -> Path:
        name = os.fsdecode(raw)
        used_in = f"{file}:{line}"
        if "\\" in name:
            raise DevicetreeError(f"{used_in}: a backslash in the name of an included file")
        near = [] if file.startswith("<") else [Path(file).parent]
        for directory in (*near, *self.search):
            if os.path.lexists(found := directory / name):
                self.allowed.check(str(found), used_in)
                return found
        raise DevicetreeError(f"{used_in}: {name} does not exist")


def name_of(path: str) -> str:
    """The name of a file for messages."""
    return "<stdin>" if path == STDIN else path


def read_source(path: str) -> bytes:
    """The bytes of a blob or source, as far as they may count; raises for what is too large."""
    if path == STDIN:
        return _read_from(sys.stdin.buffer if sys.stdin else BytesIO(), name_of(path))
    if not (Path(path).is_file() or Path(path).is_fifo()):
        what = "is not a file" if Path(path).exists() else "does not exist"
        raise DevicetreeError(f"{path} {what}. Expected a devicetree blob or source.")
    try:
        with Path(path).open("rb") as file:
            return _read_from(file, path)
    except OSError as fault:
        raise DevicetreeError(f"{path} cannot be read: {fault.strerror}") from fault


def _read_from(file: BinaryIO, name: str) -> bytes:
    """A blob up to its totalsize, a source as a whole."""
    data = file.read(MOST)
    if data[:4] == MAGIC.to_bytes(4):
        return data
    data += file.read(MOST_SOURCE - len(data) + 1)
    if not data:
        raise DevicetreeError(f"{name} is empty. Expected a devicetree blob or source.")
    if len(data) > MOST_SOURCE:
        raise DevicetreeError(
            f"{name} is not a devicetree blob, and too large for a source: more than "
            f"{size_text(MOST_SOURCE)}"
        )
    return data
