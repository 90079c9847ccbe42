# SPDX-License-Identifier: Apache-2.0
"""Load somebody's devicetree: a blob, a source with includes, overlays on top of either.

::

    Loader(include).load("board.dts") ─► Board: blob, tree, where(path, property)

A devicetree may come from anybody. cpp and dtc run with bounds on time, memory and output, see no
file but those below the board's directory and the given include paths, and write nothing.
"""

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from harness.base.errors import DevicetreeError
from harness.machine.devicetree.bounded import run_bounded
from harness.machine.devicetree.flat import MAGIC, FlatTree, read_blob
from harness.machine.devicetree.includes import (
    STDIN,
    AllowedFiles,
    IncludeExpander,
    read_source,
)

PREFIXES = Path("scripts/dtc/include-prefixes")
"""Where a kernel tree keeps links to its include directories."""

HEADERS = Path("include")
"""Where these links, and links behind them, lead to: dt-bindings has some to uapi."""

_MARKER = re.compile(rb'^# (\d+) "((?:[^"\\\n]|\\.)*)"', re.MULTILINE)
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
        data = read_source(path)
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
                data = read_source(str(overlay))
                if data[:4] != MAGIC.to_bytes(4):
                    text = self._preprocess(str(overlay), data)
                    data = _dtc(text, str(overlay), "dtb", "-@")
                files.append(scratch / f"{number}.dtbo")
                files[-1].write_bytes(data)
            names = ", ".join(map(str, self.overlays))
            command: list[str | Path] = ["fdtoverlay", "-i", files[0], "-o", "-", *files[1:]]
            return run_bounded(command, b"", f"{names}: cannot apply the overlay")

    def _preprocess(self, path: str, data: bytes) -> bytes:
        """Resolve ``#include`` with cpp and ``/include/`` here; raises for files elsewhere."""
        name = "<stdin>" if path == STDIN else path
        if b"\0" in data:
            at = data.index(b"\0")
            raise DevicetreeError(
                f"{name}: neither a devicetree blob nor a source: it begins with "
                f"{data[:4].hex(' ')} and has a NUL at offset {at:#x}"
            )
        trees = () if path == STDIN else _kernel_trees(Path(path))
        search = (*self.include, *(one / PREFIXES for one in trees))
        allowed = AllowedFiles(path, search, [one / HEADERS for one in trees])
        options = [word for one in search for word in ("-I", str(one))]
        command = ["cpp", "-H", "-nostdinc", "-undef", "-D__DTS__", "-x", "assembler-with-cpp"]
        if path != STDIN:
            options = ["-iquote", str(Path(path).resolve().parent), *options]
        text = run_bounded(
            [*command, *options, "-"],
            _marked(name, data),
            f"{name}: cannot preprocess the source",
            lambda said: allowed.check_all(_opened(said)),
        )
        allowed.check_all(found[2].decode(errors="replace") for found in _MARKER.finditer(text))
        return IncludeExpander(allowed, search).expand(text, name, 0)


def _kernel_trees(path: Path) -> tuple[Path, ...]:
    """The kernel tree that the file is in, if it is in one."""
    return tuple(one for one in path.resolve().parents if (one / PREFIXES).is_dir())[:1]


def _marked(name: str, data: bytes) -> bytes:
    return b'#line 1 "%s"\n' % os.fsencode(name) + data


def _opened(said: str) -> list[str]:
    """The files that cpp opened, from what ``-H`` prints."""
    return [line.lstrip(".").strip() for line in said.splitlines() if re.match(r"\.+ \S", line)]


def _dtc(text: bytes, name: str, form: str, *options: str) -> bytes:
    command = ["dtc", "-q", "-I", "dts", "-O", form, "-o", "-", *options, "-"]
    return run_bounded(command, text, f"{name}: does not compile")


def _annotated(text: bytes, name: str) -> str:
    return _dtc(text, name, "dts", "-T", "-T").decode(errors="replace")


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
