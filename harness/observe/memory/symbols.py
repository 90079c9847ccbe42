# SPDX-License-Identifier: Apache-2.0
"""Symbols and build id of a ``vmlinux``, by link address."""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.base.errors import InputError, NoDebugInformation, NotInKernel
from harness.base.hex_repr import hex_repr
from harness.kernel.elf import BuildId, build_id

SYMBOL = struct.Struct("<IBBHQQ")
"""``Elf64_Sym``: name, info, other, section index, value, size (ELF gABI, "Symbol Table")."""

STATIC = 0
"""``STB_LOCAL``: the upper four bits of ``st_info``."""

FIRST_SPECIAL_SECTION = 0xFF00
"""``SHN_LORESERVE``: from here on, an index is no section's, and the value not an address."""


@hex_repr
@dataclass(frozen=True)
class Symbol:
    """A symbol of the kernel: link address and size in bytes (0: unknown)."""

    name: str
    address: int
    size: int


class Symbols:
    """The symbol table of *vmlinux*; opening takes about 20 ms for 30,000 symbols.

    Looks names up in the raw string table, because decoding all names would take longer. Raises
    NoDebugInformation when there is no such file, and InputError when it is not a ``vmlinux`` with
    symbols.
    """

    def __init__(self, vmlinux: Path) -> None:
        self.path = vmlinux
        if not vmlinux.exists():
            raise NoDebugInformation(
                f"this kernel came without a vmlinux: there is no {vmlinux}. Add '+dbg' to the "
                "name of the package if it has a debugging package"
            )
        with vmlinux.open("rb") as file:
            self.build_id, self._table, self._strings = _open(vmlinux, file)
        self._by_name: dict[int, tuple[int, int]] = {}
        self._shared: set[int] = set()
        self._index()

    def find(self, name: str) -> Symbol | None:
        """Return the symbol *name*, None if there is none.

        A global symbol wins over static ones; raises InputError for several static ones.
        """
        for offset in self._offsets(name.encode() + b"\0"):
            if offset in self._shared:
                raise InputError(f"{self.path} has more than one static symbol '{name}'")
            if offset in self._by_name:
                return Symbol(name, *self._by_name[offset])
        return None

    def address(self, name: str) -> int:
        """Return the link address of *name*; raises NotInKernel when there is none."""
        symbol = self.find(name)
        if symbol is None:
            raise NotInKernel(str(self.path), "symbol", name)
        return symbol.address

    def nearest(self, address: int) -> Symbol | None:
        """Return the last symbol at or before link address *address*, None before the first.

        The first call sorts the table, about 20 ms.
        """
        index = bisect_right(self._sorted, (address, len(self._strings), 0))
        if index == 0:
            return None
        start, name, size = self._sorted[index - 1]
        return Symbol(self._name(name), start, size)

    def names(self) -> Iterator[str]:
        """Every symbol that is the only one of its name, or a global one."""
        return (self._name(name) for name in self._by_name if name not in self._shared)

    def _index(self) -> None:
        """Remember each name's address and size; static symbols come first in the table."""
        for name, info, address, size in self._defined():
            if info >> 4 == STATIC and name in self._by_name:
                self._shared.add(name)
            else:
                self._by_name[name] = (address, size)
                self._shared.discard(name)

    def _defined(self) -> Iterator[tuple[int, int, int, int]]:
        """Name, info, address and size of each symbol in a section of the kernel."""
        for name, info, _, section, address, size in SYMBOL.iter_unpack(self._table):
            if 0 < section < FIRST_SPECIAL_SECTION:
                yield name, info, address, size

    @cached_property
    def _sorted(self) -> list[tuple[int, int, int]]:
        """Address, name and size of every symbol except mapping symbols (``$x``, ``$d``)."""
        return sorted(
            (address, name, size)
            for name, _, address, size in self._defined()
            if self._strings[name] not in b"$\0"
        )

    def _name(self, offset: int) -> str:
        return self._strings[offset : self._strings.index(b"\0", offset)].decode()

    def _offsets(self, text: bytes) -> Iterator[int]:
        """Offsets of *text* in the string table; a name may be the end of a longer one."""
        at = self._strings.find(text)
        while at >= 0:
            yield at
            at = self._strings.find(text, at + 1)


def _open(path: Path, file: BinaryIO) -> tuple[BuildId, bytes, bytes]:
    """Return the build id, the raw symbol table and its strings."""
    try:
        elf = ELFFile(file)
        table = elf.get_section_by_name(".symtab")
        if table is None:
            raise _bad(path, "it has no symbol table: it was stripped")
        carried = build_id(elf)
        if carried is None:
            raise _bad(path, "it carries no build id")
        return carried, table.data(), elf.get_section(table["sh_link"]).data()
    except ELFError as fault:
        raise _bad(path, f"it is not an ELF file ({fault})") from fault


def _bad(path: Path, reason: str) -> InputError:
    return InputError(f"{path} is not the vmlinux of a kernel: {reason}")
