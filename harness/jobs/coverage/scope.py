# SPDX-License-Identifier: Apache-2.0
"""The restricted DMA paths, and the lines that no test reaches for a known reason."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Extent:
    """A function of a source file and its lines, from *first* to *last*."""

    path: str
    name: str
    first: int
    last: int

    def __contains__(self, line: int) -> bool:
        return self.first <= line <= self.last


def restricted_paths(sources: Path) -> Iterator[Extent]:
    """Find the functions of scope.toml in the tree *sources*; those that it lacks are left out."""
    functions: Mapping[str, list[str]] = _load("scope.toml")["functions"]
    for path, names in functions.items():
        if (sources / path).is_file():
            lines = (sources / path).read_text(errors="replace").splitlines()
            for name in names:
                yield from _find(path, name, lines)


def known_reasons() -> Mapping[tuple[str, str, str], str]:
    """Why lines are never reached, by file, function and text without the blanks around it."""
    return {
        (one["file"], one["function"], text): one["reason"]
        for one in _load("unreached.toml").get("lines", [])
        for text in one["texts"]
    }


def _find(path: str, name: str, lines: list[str]) -> Iterator[Extent]:
    """Yield every definition of function *name*; there may be one for each branch of an ``#if``."""
    head = re.compile(rf"(?:\w[^;=#]*\W)?{name}\(")
    for number, line in enumerate(lines):
        if head.match(line) and (end := _end(lines, number)):
            yield Extent(path, name, number + 1, end)


def _end(lines: list[str], head: int) -> int | None:
    """The number of a definition's last line; None if *head* begins a declaration or a call."""
    in_body = False
    for number, line in enumerate(lines[head:], head + 1):
        if not in_body and line.rstrip().endswith(";"):
            return None
        in_body = in_body or line.startswith("{")
        if in_body and line.startswith("}"):
            return number
    return None


def _load(name: str) -> dict[str, Any]:
    with (HERE / name).open("rb") as file:
        return tomllib.load(file)
