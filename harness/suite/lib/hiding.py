# SPDX-License-Identifier: Apache-2.0
"""Names that the harness reads of a kernel, and a vmlinux in which one of them is hidden.

The names are found in the code that reads kernels; there is no list of them.
"""

import ast
import importlib
import mmap
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from elftools.elf.elffile import ELFFile

from harness.base.paths import CHECKOUT

READERS = ("harness/observe/memory", "harness/devices/oracles")
"""Packages that read kernels."""

HELPERS = ("device", "list", "mmzone", "percpu", "cpumask")
"""Modules of drgn.helpers.linux that these packages call."""

NAME = re.compile(r"^(?:struct |union |enum )?([A-Za-z_]\w+)$")

STRINGS, ENTRIES, SYMBOLS = ".debug_str", ".debug_info", ".strtab"

OFFSET = 4
"""Bytes of an offset into the strings (DWARF 5, ``DW_FORM_strp``). A name that is no longer than
this with its NUL is in the entry itself; a name of two letters cannot be told from numbers."""


def names_read(vmlinux: Path) -> tuple[str, ...]:
    """Every name of a symbol, type, member or constant of *vmlinux* that the readers mention."""
    files = [file for part in READERS for file in sorted((CHECKOUT / part).glob("*.py"))]
    files += [_source(module) for module in HELPERS]
    mentioned = {name for file in files for name in _mentioned(file)}
    with vmlinux.open("rb") as file:
        elf = ELFFile(file)
        known = [part.data() for part in elf.iter_sections() if part.name in (STRINGS, SYMBOLS)]
    return tuple(
        name
        for name in sorted(each for each in mentioned if len(each) >= OFFSET - 1)
        if len(name) == OFFSET - 1 or any(name.encode() + b"\0" in part for part in known)
    )


def _source(module: str) -> Path:
    path = importlib.import_module(f"drgn.helpers.linux.{module}").__file__
    assert path is not None
    return Path(path)


def _mentioned(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute):
            yield from re.findall("^[a-zA-Z].*[^_]$", node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from NAME.findall(node.value)


class Vmlinux:
    """The test's own copy of a vmlinux at *path*, in which names can be hidden."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._bytes = mmap.mmap(file.fileno(), 0)
            elf = ELFFile(file)
            self._parts = {
                name: (section["sh_offset"], section["sh_offset"] + section["sh_size"])
                for name in (STRINGS, ENTRIES, SYMBOLS)
                if (section := elf.get_section_by_name(name)) is not None
            }

    @contextmanager
    def hidden(self, name: str) -> Iterator[None]:
        """Rename every symbol, type and member called *name* while the context lasts."""
        kept = dict(self._changes(name.encode()))
        before = {at: self._bytes[at : at + len(new)] for at, new in kept.items()}
        self._write(kept.items())
        try:
            yield
        finally:
            self._write(before.items())

    def _write(self, changes: Iterable[tuple[int, bytes]]) -> None:
        for at, data in changes:
            self._bytes[at : at + len(data)] = data
        self._bytes.flush()

    def _changes(self, name: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the offsets and bytes to write: the first letter becomes ``?``.

        Names that end with this one may share its bytes, and are hidden too.
        """
        yield from ((at, b"?") for at in self._find(SYMBOLS, name + b"\0") if self._begins(at))
        if len(name) < OFFSET:
            inline = self._find(ENTRIES, name + b"\0")
            yield from ((at, b"?") for at in inline if self._begins(at))
        else:
            yield from ((at, b"?") for at in self._find(STRINGS, name + b"\0"))

    def _begins(self, at: int) -> bool:
        """Whether a name begins at *at*, and not the end of a longer one."""
        before = self._bytes[at - 1 : at]
        return not (before.isalnum() or before == b"_")

    def _find(self, part: str, text: bytes) -> Iterator[int]:
        at, end = self._parts[part]
        while (at := self._bytes.find(text, at, end)) >= 0:
            yield at
            at += 1
