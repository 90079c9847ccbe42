# SPDX-License-Identifier: Apache-2.0
"""Load somebody's devicetree: a blob, a source with includes, overlays on top of either.

::

    Loader(include).load("board.dts") ─► Board: blob, tree, where(path, property)

A devicetree may come from anybody. cpp and dtc run with bounds on time, memory and output, see no
file but those below the board's directory and the given include paths, and write nothing.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from harness.base.errors import DevicetreeError
from harness.machine.devicetree.bounded import run_bounded
from harness.machine.devicetree.flat import MAGIC, FlatTree, read_named
from harness.machine.devicetree.fragments import apply, is_overlay, targets
from harness.machine.devicetree.includes import (
    STDIN,
    AllowedFiles,
    IncludeExpander,
    name_of,
    read_source,
)
from harness.machine.devicetree.positions import Position, Positions, moved, read_positions

PREFIXES = Path("scripts/dtc/include-prefixes")
"""Where a kernel tree keeps links to its include directories."""

HEADERS = Path("include")
"""Where these links, and links behind them, lead to: dt-bindings has some to uapi."""

_MARKER = re.compile(rb'^# (\d+) "((?:[^"\\\n]|\\.)*)"', re.MULTILINE)


@dataclass(frozen=True)
class Written:
    """A source in dtc's annotated form, empty for a blob, and where its nodes are in the board."""

    annotated: Callable[[], str]
    targets: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Board:
    """A devicetree to judge: its *name* for messages, the *blob*, the *tree* and its *sources*."""

    name: str
    blob: bytes = field(repr=False)
    tree: FlatTree
    sources: tuple[Written, ...] = field(default=(), repr=False)

    def where(self, path: str, name: str = "") -> Position | None:
        """Where the node at *path*, or its property *name*, is written; None if unknown."""
        found = self._positions.get((path, name))
        return found or self._positions.get((path, ""))

    @cached_property
    def _positions(self) -> Positions:
        found: dict[tuple[str, str], Position] = {}
        for one in self.sources:
            found |= moved(read_positions(one.annotated()), one.targets)
        return found


@dataclass(frozen=True)
class Loader:
    """Loads boards; *include* are directories of includes, *overlays* paths of overlays."""

    include: tuple[Path, ...] = ()
    overlays: tuple[Path, ...] = ()

    def load(self, path: str) -> Board:
        """Load a blob or a source; ``-`` is standard input. Raises DevicetreeError for bad ones."""
        name = name_of(path)
        blob, annotated = self._compiled(path)
        tree = read_named(name, blob)
        if is_overlay(tree):
            raise DevicetreeError(
                f"{name} is an overlay. Give the board that it is for, and --overlay={path}."
            )
        sources = [Written(annotated, {"": ""})]
        for overlay in map(str, self.overlays):
            top, annotated = self._compiled(overlay)
            sources.append(Written(annotated, targets(overlay, read_named(overlay, top), tree)))
            blob = apply(overlay, top, blob)
            tree = read_named(name, blob)
        return Board(name, blob, tree, tuple(sources))

    def _compiled(self, path: str) -> tuple[bytes, Callable[[], str]]:
        """The blob of a file, and what returns its annotated source."""
        name = name_of(path)
        data = read_source(path)
        if data[:4] == MAGIC.to_bytes(4):
            return data, str
        text = self._preprocess(path, data)
        return _dtc(text, name, "dtb", "-@"), partial(_annotated, text, name)

    def _preprocess(self, path: str, data: bytes) -> bytes:
        """Resolve ``#include`` with cpp and ``/include/`` here; raises for files elsewhere."""
        name = name_of(path)
        if b"\0" in data:
            at = data.index(b"\0")
            raise DevicetreeError(
                f"{name}: neither a devicetree blob nor a source: it begins with "
                f"{data[:4].hex(' ')} and has a NUL at offset {at:#x}"
            )
        trees = () if path == STDIN else _kernel_trees(Path(path))
        search = (*self.include, *(one / PREFIXES for one in trees))
        allowed = AllowedFiles(path, search, [one / HEADERS for one in trees])
        options = [word for one in search for word in ("-I", str(one.absolute()))]
        command = ["cpp", "-H", "-nostdinc", "-undef", "-D__DTS__", "-x", "assembler-with-cpp"]
        directory = Path() if path == STDIN else Path(path).parent
        if path != STDIN:
            options = ["-iquote", str(Path(path).resolve().parent), *options]
        text = run_bounded(
            [*command, *options, "-"],
            _marked(name if path == STDIN else Path(path).name, data),
            f"{name}: cannot preprocess the source",
            lambda said: allowed.check_all(str(directory / one) for one in _opened(said)),
            directory,
        )
        text = _MARKER.sub(partial(_seen_from_here, directory), text)
        allowed.check_all(os.fsdecode(found[2]) for found in _MARKER.finditer(text))
        return IncludeExpander(allowed, search).expand(text, name, 0)


def _kernel_trees(path: Path) -> tuple[Path, ...]:
    """The kernel tree that the file is in, if it is in one."""
    return tuple(one for one in path.resolve().parents if (one / PREFIXES).is_dir())[:1]


def _marked(name: str, data: bytes) -> bytes:
    return b'#line 1 "%s"\n' % os.fsencode(name) + data


def _seen_from_here(directory: Path, marker: re.Match[bytes]) -> bytes:
    """A marker of cpp, which ran in *directory*, with the file's path from where we are."""
    file = marker[2]
    if not file.startswith(b"<"):
        file = os.fsencode(directory / os.fsdecode(file))
    return b'# %s "%s"' % (marker[1], file)


def _opened(said: str) -> list[str]:
    """The files that cpp opened, from what ``-H`` prints."""
    return [line.lstrip(".").strip() for line in said.splitlines() if re.match(r"\.+ \S", line)]


def _dtc(text: bytes, name: str, form: str, *options: str) -> bytes:
    command = ["dtc", "-q", "-I", "dts", "-O", form, "-o", "-", *options, "-"]
    return run_bounded(command, text, f"{name}: does not compile")


def _annotated(text: bytes, name: str) -> str:
    return os.fsdecode(_dtc(text, name, "dts", "-T", "-T"))
