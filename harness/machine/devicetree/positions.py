# SPDX-License-Identifier: Apache-2.0
"""Where the nodes and properties of a devicetree are written, from dtc's annotated source."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_POSITION = re.compile(r"/\* (?P<file>[^*]+?):(?P<line>\d+):(?P<column>\d+)-\d+:\d+")
_SAID = re.compile(r"(?P<file>[^\s:]+):(?P<line>\d+)(?:[.:](?P<column>\d+))?[-: ]")
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


Positions = Mapping[tuple[str, str], Position]
"""By the path of a node and the name of a property, empty for the node itself."""


def read_positions(text: str) -> Positions:
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


def said_position(complaint: str) -> Position | None:
    """The first place that a complaint of dtc, cpp or ours names (``FILE:LINE``), None without."""
    found = _SAID.search(complaint)
    return found and Position(found["file"], int(found["line"]), int(found["column"] or 1))


def moved(positions: Positions, targets: Mapping[str, str]) -> Positions:
    """The *positions* in an overlay, for the tree that it is applied to.

    *targets* are the paths in that tree of what the overlay has at each of its own paths.
    """
    return {
        ((f"{target.rstrip('/')}{path.removeprefix(own)}" or "/"), name): where
        for (path, name), where in positions.items()
        for own, target in targets.items()
        if path == own or path.startswith(f"{own}/")
    }
