# SPDX-License-Identifier: Apache-2.0
"""The formats of gdb's ``x`` command (gdb manual, "Examining Memory")."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from harness.base.errors import InputError
from harness.shell.words import LARGEST

SIZES = {"b": 1, "h": 2, "w": 4, "g": 8}

LETTERS = "xduotacsi"

WORD, ADDRESS, ROW = 4, 8, 16
"""Bytes: of a value without a size letter, of one in the format ``a``, and of a line of output."""

_FORMAT = re.compile(rf"/(\d*)([{LETTERS}bhwg]*)")


@dataclass(frozen=True)
class MemoryFormat:
    """*count* values of *size* bytes, each shown as *letter* says; of ``i`` and ``s`` too."""

    count: int
    letter: str
    size: int

    def values(self, data: bytes) -> list[int | str]:
        """The numbers in *data*, little-endian; for ``s`` its strings."""
        if self.letter == "s":
            return [text for _, text in self._strings(data)]
        signed = self.letter in "dc"
        parts = (data[at : at + self.size] for at in range(0, len(data), self.size))
        return [int.from_bytes(part, "little", signed=signed) for part in parts]

    def text(self, address: int, data: bytes, describe: Callable[[int], str | None]) -> str:
        """Lines with their address; *describe* says what an address in *data* is."""
        if self.letter == "s":
            return "\n".join(f"{address + at:012x}  {text!r}" for at, text in self._strings(data))
        shown = [self._shown(int(value), describe) for value in self.values(data)]
        each = 1 if self.letter == "a" else max(1, ROW // self.size)
        width = max(map(len, shown))
        rows = (shown[at : at + each] for at in range(0, len(shown), each))
        return "\n".join(
            f"{address + number * each * self.size:012x}  "
            + "  ".join(value.rjust(width) for value in row)
            for number, row in enumerate(rows)
        )

    def _shown(self, value: int, describe: Callable[[int], str | None]) -> str:
        match self.letter:
            case "x":
                return f"{value:#0{2 * self.size + 2}x}"
            case "o":
                return f"{value:#o}"
            case "t":
                return f"{value:0{8 * self.size}b}"
            case "c":
                sign = value & 0xFF
                return f"{value} {chr(sign)!r}" if 0x20 <= sign < 0x7F else str(value)
            case "a":
                place = describe(value)
                return f"{value:#018x}" + (f"  {place}" if place else "")
        return str(value)

    def _strings(self, data: bytes) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        at = 0
        while len(found) < self.count and at < len(data):
            raw, _, _ = data[at:].partition(b"\0")
            found.append((at, raw.decode(errors="replace")))
            at += len(raw) + 1
        return found


STRING = 256
"""Bytes that are read for each string."""


def parse_format(text: str) -> MemoryFormat:
    """Read a format such as ``/32gx``; raises InputError for what gdb would refuse too."""
    found = _FORMAT.fullmatch(text)
    letters = [one for one in found[2] if one not in SIZES] if found else []
    sizes = [one for one in found[2] if one in SIZES] if found else []
    if found is None or len(letters) > 1 or len(sizes) > 1:
        raise InputError(
            f"invalid format {text!r}: expected a count, one of {LETTERS} and a size of bhwg, "
            "such as /32gx"
        )
    letter = letters[0] if letters else "x"
    default = {"a": ADDRESS, "c": 1, "s": STRING}.get(letter, WORD)
    size = SIZES[sizes[0]] if sizes and letter not in "as" else default
    count = int(found[1] or 1)
    if not 1 <= count * size <= LARGEST:
        raise InputError(f"{text} asks for {count * size} bytes: expected 1 to {LARGEST}")
    return MemoryFormat(count, letter, size)
