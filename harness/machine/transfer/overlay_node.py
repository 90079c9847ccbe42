# SPDX-License-Identifier: Apache-2.0
"""Nodes of an overlay, and its source text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.machine.devicetree.flat import CELL

HEAD = """\
// SPDX-License-Identifier: Apache-2.0
/dts-v1/;
/plugin/;
"""

_WORD = re.compile(rb"[a-z][a-z-]*\0")
_UNSAFE = re.compile(r"[^A-Za-z0-9,._+@-]")


def safe_name(name: str) -> str:
    """*name* with nothing in it that dtc would refuse in a source."""
    return _UNSAFE.sub("_", name) or "_"


@dataclass
class OverlayNode:
    """A node of an overlay: properties in source form, children by name."""

    label: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    children: dict[str, "OverlayNode"] = field(default_factory=dict)

    def child(self, name: str) -> "OverlayNode":
        """The child of that name; a new one if there is none."""
        return self.children.setdefault(safe_name(name), OverlayNode())

    def set(self, name: str, value: str = "") -> None:
        """Give a property a *value* in source form; none for an empty property."""
        self.properties[name] = value

    def lines(self) -> Iterator[str]:
        """The source of what is in the node."""
        for name, value in self.properties.items():
            yield f"{name} = {value};" if value else f"{name};"
        for name, child in reversed(self.children.items()):  # fdtoverlay adds each before the last
            label = f"{child.label}: " if child.label else ""
            yield f"{label}{name} {{"
            yield from (f"\t{line}" for line in child.lines())
            yield "};"


def overlay_source(targets: dict[str, OverlayNode], comments: Sequence[str]) -> str:
    """The source of an overlay that adds to the nodes at the paths *targets*."""
    said = [f" * {one.replace('*/', '* /')}".rstrip() for one in comments]
    parts = [HEAD + "\n".join(["/*", *said, " */"])]
    for path, node in targets.items():
        lines = [f"\t{line}" for line in node.lines()]
        if lines:
            parts.append("\n".join([f"&{{{path}}} {{", *lines, "};"]))
    return "\n\n".join(parts) + "\n"


def raw(data: bytes) -> str:
    """A property's bytes in source form: as a word, a number, or bytes."""
    if _WORD.fullmatch(data):
        return f'"{data[:-1].decode()}"'
    if len(data) == CELL:
        return cells(int.from_bytes(data))
    return f"[{data.hex(' ')}]" if data else ""


def cells(*numbers: int, width: int = 1) -> str:
    """Numbers in source form, *width* cells each."""
    words = []
    for number in numbers:
        data = number.to_bytes(width * CELL)
        words += [f"{int.from_bytes(data[at : at + CELL]):#x}" for at in range(0, len(data), CELL)]
    return f"<{' '.join(words)}>"
