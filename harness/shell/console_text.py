# SPDX-License-Identifier: Apache-2.0
"""A console as plain text: what a terminal without colours and cursor would show."""

import re

KEPT = 500
"""Lines."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
"""Control sequences, and commands for the window (ECMA-48, 5.3 to 5.6)."""

_UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*)?|\r+)\Z")

CONTROL = {f"^{letter}": bytes([ord(letter) - 0x40]) for letter in "CDZ"}
"""How a line is typed that is a key with Ctrl."""


class ConsoleText:
    """The last lines of a console; the last one may still be written."""

    def __init__(self, lines: tuple[str, ...] = ()) -> None:
        self._lines = [*lines[-KEPT:], ""]
        self._unread = ""

    def feed(self, data: bytes) -> None:
        """Add what the console wrote; an escape sequence may come in parts."""
        text = self._unread + data.decode(errors="replace")
        cut = _UNFINISHED.search(text)
        end = cut.start() if cut else len(text)
        self._unread = text[end:]
        for part in re.split(r"(\r*\n|\r|\x08)", _ESCAPES.sub("", text[:end])):
            self._add(part)
        del self._lines[:-KEPT]

    def last(self, count: int) -> list[str]:
        """The last *count* lines."""
        return self._lines[-count:]

    def _add(self, part: str) -> None:
        match part:
            case _ if part.endswith("\n"):
                self._lines.append("")
            case "\r":
                self._lines[-1] = ""
            case "\x08":
                self._lines[-1] = self._lines[-1][:-1]
            case _:
                self._lines[-1] += "".join(one for one in part if one.isprintable() or one == "\t")


def typed_bytes(line: str) -> bytes:
    """What a typed *line* sends: ``^C``, ``^D`` and ``^Z`` are those keys."""
    return CONTROL.get(line.strip()) or f"{line}\n".encode()
