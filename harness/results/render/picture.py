# SPDX-License-Identifier: Apache-2.0
"""A picture of physical memory: its parts, and the accesses of rogues.

Memory is cut where parts begin and end; each piece is as tall as its text. Not to scale.
Addresses increase downwards.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from harness.base.address_range import AddressRange
from harness.results.render.layout import DeviceAccess, MemoryPart

WIDTH, BAR_LEFT, BAR_WIDTH = 384, 74, 72
LINE, PADDING = 15, 7
"""Units of the picture, which are pixels where it is not made smaller."""

MOST = 4
"""Accesses that are named in one piece."""

_RANK = ("ram", "window", "loaded", "kernel", "scratch", "pool")
"""Where parts overlap, the last of these is drawn."""

_ALLOWED = frozenset({"pool", "scratch", "window"})
"""Parts that a fence lets devices reach."""


@dataclass(frozen=True, repr=False)
class Piece(AddressRange):
    """Memory that belongs to *part*, and what was tried there.

    *part* is None between and outside of what is known.
    """

    part: MemoryPart | None
    accesses: tuple[DeviceAccess, ...]

    @property
    def height(self) -> int:
        """Units that its words need."""
        return 2 * PADDING + LINE * (1 + len(list(labels(self.accesses))))


def pieces(parts: Sequence[MemoryPart], accesses: Sequence[DeviceAccess]) -> list[Piece]:
    """Memory in ascending order; accesses outside of all parts get pieces of their own."""
    cuts = sorted({edge for part in parts for edge in (part.base, part.end)})
    spans = [Piece(low, high - low, _part_at(parts, low), ()) for low, high in pairwise(cuts)]
    found = [
        Piece(one.base, one.size, one.part, inside)
        for one in spans
        for inside in [tuple(a for a in accesses if one.contains(a.address))]
        if one.part or inside
    ]
    placed = {access for one in found for access in one.accesses}
    outside = [access for access in accesses if access not in placed]
    alone = [Piece(a.address, a.size, None, (a,)) for a in dict.fromkeys(outside)]
    return sorted((*found, *alone), key=lambda one: one.base)


def _part_at(parts: Sequence[MemoryPart], address: int) -> MemoryPart | None:
    inside = [part for part in parts if part.contains(address)]
    return max(inside, key=lambda part: _RANK.index(part.kind), default=None)


def labels(accesses: Sequence[DeviceAccess]) -> Iterator[tuple[str, bool | None]]:
    """One text for each kind of access, with their number; and whether they were refused."""
    groups: dict[tuple[str, str, bool], list[DeviceAccess]] = {}
    for one in accesses:
        groups.setdefault((one.device, one.access, one.refused), []).append(one)
    for number, ((device, access, refused), some) in enumerate(groups.items()):
        if number == MOST:
            yield f"and {len(groups) - MOST} more kinds", None
            return
        times = f", {len(some)} x" if len(some) > 1 else ""
        first = min(one.address for one in some)
        yield f"{device} {access}s {first:#x}{times}", refused


def picture(parts: Sequence[MemoryPart], accesses: Sequence[DeviceAccess]) -> str:
    """The picture as SVG for a page with classes for its colours; empty if nothing is known."""
    column = pieces(parts, accesses)
    if not column:
        return ""
    height = sum(one.height for one in column) + LINE
    return "".join(
        (
            f'<svg class="memory" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'xmlns="http://www.w3.org/2000/svg"><title>physical memory</title>',
            *_column(column),
            "</svg>",
        )
    )


def _column(column: Sequence[Piece]) -> Iterator[str]:
    top = 4
    for piece in column:
        yield from _piece(piece, top)
        top += piece.height
    yield _address(column[-1].end, top)


def _piece(piece: Piece, top: int) -> Iterator[str]:
    kind = piece.part.kind if piece.part else "none"
    name = piece.part.name if piece.part else "no memory known here"
    yield (
        f'<rect class="{kind}" x="{BAR_LEFT}" y="{top}" width="{BAR_WIDTH}" '
        f'height="{piece.height}"/>'
    )
    yield _address(piece.base, top)
    reached = "allowed" if kind in _ALLOWED else "hit"
    left, line = BAR_LEFT + BAR_WIDTH + 8, top + PADDING + LINE - 4
    yield _text(left, line, "name", f"{_short(name)}, {_size(piece.end - piece.base)}")
    for text, refused in labels(piece.accesses):
        line += LINE
        look = "more" if refused is None else "refused" if refused else reached
        if refused is not None:
            yield _arrow(line - 4, look)
        yield _text(left, line, look, text)


def _arrow(middle: int, look: str) -> str:
    """From the right into the bar; what was refused ends before it."""
    tip = BAR_LEFT + BAR_WIDTH - (-1 if look == "refused" else 36)
    tail = BAR_LEFT + BAR_WIDTH + 6
    head = f"M{tip + 5} {middle - 4}L{tip} {middle}L{tip + 5} {middle + 4}"
    return f'<path class="{look}" d="M{tail} {middle}H{tip}{head}"/>'


def _address(address: int, top: int) -> str:
    return _text(BAR_LEFT - 5, top + 4, "address", f"{address:#x}")


def _text(x: int, y: int, look: str, text: str) -> str:
    return f'<text class="{look}" x="{x}" y="{y}">{escape(text)}</text>'


def _short(name: str) -> str:
    longest = 22
    return name if len(name) <= longest else f"{name[: longest - 1]}\N{HORIZONTAL ELLIPSIS}"


def _size(size: int) -> str:
    for unit, bits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << bits:
            number = size / (1 << bits)
            return f"{number:.0f} {unit}" if number == int(number) else f"{number:.1f} {unit}"
    return f"{size} B"
