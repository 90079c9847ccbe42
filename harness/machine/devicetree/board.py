# SPDX-License-Identifier: Apache-2.0
"""Load somebody's devicetree: a blob, a source with includes, overlays on top of either.

::

    Loader(include).load("board.dts") ─► Board: blob, tree, where(path, property)

A devicetree may come from anybody. cpp and dtc run with bounds on time, memory and output, see no
file but those below the board's directory and the given include paths, and write nothing.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import IO, BinaryIO

from harness.base.errors import DevicetreeError
from harness.base.space import GIB, MIB, size_text
from harness.base.tools import find_tool
from harness.machine.devicetree.flat import MAGIC, MOST, FlatTree, read_blob

STDIN = "-"
MOST_SOURCE = 16 * MIB
"""Bytes of a source that are read."""

CPU_SECONDS, WALL_SECONDS = 10, 20
MEMORY, OUTPUT = 1 * GIB, 64 * MIB
"""Bounds of each program that reads a source."""

DEEPEST_INCLUDE = 32
PREFIXES = Path("scripts/dtc/include-prefixes")
"""Where a kernel tree keeps links to its include directories."""

_MARKER = re.compile(rb'^# (\d+) "((?:[^"\\\n]|\\.)*)"', re.MULTILINE)
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
_POSITION = re.compile(r"/\* (?P<file>[^*]+?):(?P<line>\d+):(?P<column>\d+)-\d+:\d+")
_OPENS = re.compile(r"^\t*(?:[\w]+: )*(?P<name>\S+) \{")
_CLOSES = re.compile(r"^\t*\};")
_PROPERTY = re.compile(r"^\t*(?P<name>[\w,.+*#?@-]+)(?: =.*)?;")


@dataclass(frozen=True)
class Position:
    """A place in a source file; *line* and *column* count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, eq=False)
class Board:
    """A devicetree to judge: its *name* for messages, the *blob* and the *tree*."""

    name: str
    blob: bytes = field(repr=False)
    tree: FlatTree
    annotated: Callable[[], str] = field(default=str, repr=False)
    """Returns dtc's annotated source; empty for a blob."""

    def where(self, path: str, name: str = "") -> Position | None:
        """Where the node at *path*, or its property *name*, is written; None if unknown."""
        found = self._positions.get((path, name))
        return found or self._positions.get((path, ""))

    @cached_property
    def _positions(self) -> dict[tuple[str, str], Position]:
        return _read_positions(self.annotated())


@dataclass(frozen=True)
class Loader:
    """Loads boards; *include* are directories of includes, *overlays* paths of overlays."""

    include: tuple[Path, ...] = ()
    overlays: tuple[Path, ...] = ()

    def load(self, path: str) -> Board:
        """Load a blob or a source; ``-`` is standard input. Raises DevicetreeError for bad ones."""
        name = "<stdin>" if path == STDIN else path
        data = _read(path)
        annotated: Callable[[], str] = str
        blob = data
        if data[:4] != MAGIC.to_bytes(4):
            text = self._preprocess(path, data)
            blob = _dtc(text, name, "dtb", "-@")
            annotated = partial(_annotated, text, name)
        if self.overlays:
            blob = self._overlay(blob)
        try:
            return Board(name, blob, read_blob(blob), annotated)
        except DevicetreeError as fault:
            raise DevicetreeError(f"{name}: {fault}") from fault

    def _overlay(self, blob: bytes) -> bytes:
        with tempfile.TemporaryDirectory(prefix="overlays-") as name:
            scratch = Path(name)
            files = [scratch / "base.dtb"]
            files[0].write_bytes(blob)
            for number, overlay in enumerate(self.overlays):
                data = _read(str(overlay))
                if data[:4] != MAGIC.to_bytes(4):
                    text = self._preprocess(str(overlay), data)
                    data = _dtc(text, str(overlay), "dtb", "-@")
                files.append(scratch / f"{number}.dtbo")
                files[-1].write_bytes(data)
            names = ", ".join(map(str, self.overlays))
            command: list[str | Path] = ["fdtoverlay", "-i", files[0], "-o", "-", *files[1:]]
            return _bounded(command, b"", f"{names}: cannot apply the overlay")

    def _preprocess(self, path: str, data: bytes) -> bytes:
        """Resolve ``#include`` with cpp and ``/include/`` here; raises for files elsewhere."""
        name = "<stdin>" if path == STDIN else path
        if b"\0" in data:
            at = data.index(b"\0")
            raise DevicetreeError(
                f"{name}: neither a devicetree blob nor a source: it begins with "
                f"{data[:4].hex(' ')} and has a NUL at offset {at:#x}"
            )
        search = self._search(path)
        allowed = _Allowed(path, search)
        options = [word for one in search for word in ("-I", str(one))]
        command = ["cpp", "-H", "-nostdinc", "-undef", "-D__DTS__", "-x", "assembler-with-cpp"]
        if path != STDIN:
            options = ["-iquote", str(Path(path).resolve().parent), *options]
        text = _bounded(
            [*command, *options, "-"],
            _marked(name, data),
            f"{name}: cannot preprocess the source",
            lambda said: allowed.check_all(_opened(said)),
        )
        allowed.check_all(found[2].decode(errors="replace") for found in _MARKER.finditer(text))
        return _Expander(allowed, search).expand(text, name, 0)

    def _search(self, path: str) -> tuple[Path, ...]:
        """The include directories, with those of the kernel tree that the board is in."""
        if path == STDIN:
            return self.include
        parents = Path(path).resolve().parents
        trees = [one / PREFIXES for one in parents if (one / PREFIXES).is_dir()]
        return (*self.include, *trees[:1])


class _Allowed:
    """Which files a source may include."""

    def __init__(self, path: str, search: Sequence[Path]) -> None:
        self.path = path
        roots = [] if path == STDIN else [Path(path).resolve().parent]
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

    def check(self, name: str, used_in: str) -> Path:
        """The real path of file *name*; raises DevicetreeError if it is not allowed."""
        real = Path(os.path.realpath(name))
        if not any(real.is_relative_to(root) for root in self.roots):
            raise DevicetreeError(
                f"{used_in}: it includes {name}, which is neither below its directory nor below a "
                "directory given with --include. Give that directory, if you trust the source."
            )
        return real


class _Expander:
    """Resolves ``/include/`` and the paths of ``/incbin/``, so that dtc opens nothing else."""

    def __init__(self, allowed: _Allowed, search: Sequence[Path]) -> None:
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
                line, file = int(token["line"]), token["file"].decode(errors="replace")
                line_at = token.end() + 1
            elif token["include"] is not None:
                found = self._find(token["include"], file, here)
                inner = self.expand(_read(str(found)), str(found), depth + 1)
                pieces += [
                    text[at : token.start()],
                    b'\n# 1 "%s"\n' % os.fsencode(found),
                    inner,
                    b'\n# %d "%s"\n' % (here, file.encode()),
                ]
                at = token.end()
            elif token["incbin"]:
                found = self._find(token["binary"], file, here)
                if found.stat().st_size > MOST or not found.is_file():
                    raise DevicetreeError(f"{file}:{here}: {found} is not a file below 8 MiB")
                pieces += [text[at : token.start()], token["incbin"], b'"%s"' % os.fsencode(found)]
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
            if os.path.lexists(directory / name):
                return self.allowed.check(str(directory / name), used_in)
        raise DevicetreeError(f"{used_in}: {name} does not exist")


def _read(path: str) -> bytes:
    """The bytes of a blob or source, as far as they may count; raises for what is too large."""
    if path == STDIN:
        return _read_from(sys.stdin.buffer, "<stdin>")
    if not Path(path).is_file():
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


def _marked(name: str, data: bytes) -> bytes:
    return b'#line 1 "%s"\n' % os.fsencode(name) + data


def _opened(said: str) -> list[str]:
    """The files that cpp opened, from what ``-H`` prints."""
    return [line.lstrip(".").strip() for line in said.splitlines() if re.match(r"\.+ \S", line)]


def _dtc(text: bytes, name: str, form: str, *options: str) -> bytes:
    command = ["dtc", "-q", "-I", "dts", "-O", form, "-o", "-", *options, "-"]
    return _bounded(command, text, f"{name}: does not compile")


def _annotated(text: bytes, name: str) -> str:
    return _dtc(text, name, "dts", "-T", "-T").decode(errors="replace")


def _bounded(
    command: Sequence[str | Path],
    data: bytes,
    failed: str,
    check: Callable[[str], None] = lambda _: None,
) -> bytes:
    """Run a program on *data* within bounds; raises DevicetreeError with its first complaint.

    *check* sees what it printed as errors before anybody else does.
    """
    limits = [f"--cpu={CPU_SECONDS}", f"--as={MEMORY}", f"--fsize={OUTPUT}", "--core=0"]
    guard = [str(find_tool("prlimit")), *limits, "--", str(find_tool(str(command[0])))]
    with (
        tempfile.TemporaryFile() as given,  # a pipe could block, and has no bound
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as errors,
    ):
        given.write(data)
        given.seek(0)
        words = [*guard, *map(str, command[1:])]
        code = _wait(words, given, out, errors)
        errors.seek(0)
        said = errors.read(MIB).decode(errors="replace")
        check(said)
        if code is None:
            raise DevicetreeError(f"{failed}: {command[0]} took more than {WALL_SECONDS} s")
        if code < 0 or code > 128 or "limit exceeded" in said:
            raise DevicetreeError(
                f"{failed}: {command[0]} needed more memory, time or output than it is given: the "
                "source is nested too deep or too large"
            )
        if code:
            raise DevicetreeError(f"{failed}: {_complaint(said)}")
        out.seek(0)
        return out.read()


def _wait(words: Sequence[str], given: IO[bytes], out: IO[bytes], errors: IO[bytes]) -> int | None:
    """Run a program with its children to its end; None if it had to be killed."""
    env = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    with subprocess.Popen(
        words, stdin=given, stdout=out, stderr=errors, env=env, start_new_session=True
    ) as process:
        try:
            return process.wait(WALL_SECONDS)
        except BaseException as fault:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(fault, subprocess.TimeoutExpired):
                return None
            raise


def _complaint(said: str) -> str:
    """The first lines of what a compiler says, without the list of opened files."""
    skipped = (".", "In file included from", " ")
    lines = [line for line in said.splitlines() if line and not line.startswith(skipped)]
    return "; ".join(line.strip() for line in lines[:3]) or "it gave no reason"


def _read_positions(text: str) -> dict[tuple[str, str], Position]:
    """The position of each node and property in dtc's annotated source."""
    found: dict[tuple[str, str], Position] = {}
    path: list[str] = []
    for line in text.splitlines():
        comment = _POSITION.search(line)
        if _CLOSES.match(line):
            if path:
                path.pop()
            continue
        name = ""
        if opens := _OPENS.match(line):
            path.append("" if opens["name"] == "/" else opens["name"])
        elif known := _PROPERTY.match(line):
            name = known["name"]
        else:
            continue
        if comment:
            place = Position(comment["file"], int(comment["line"]), int(comment["column"]))
            found["/".join(path) or "/", name] = place
    return found
