# SPDX-License-Identifier: Apache-2.0
"""Costs as a plot in SVG: how a mapping grows with its size, and with how full the pool is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

from harness.base.space import size_text
from harness.jobs.cost.cost import Cost

MAP = "map TO_DEVICE"
FULL_SIZE = 4096

WIDTH, HEIGHT = 400, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 24, 52, 40
NAME = 72
"""Units around the axes of a panel, and for the name of a line."""

COLOURS = ("#1f5fbf", "#c2571a", "#2f8f4e", "#7b4fb5")

Points = Sequence[tuple[float, int]]


@dataclass(frozen=True)
class Panel:
    """A diagram: *lines* by their name, with points in the order of x; *ticks* of x by place."""

    title: str
    lines: Mapping[str, Points]
    ticks: Mapping[float, str]
    logarithmic: bool


def cost_plot(costs: Sequence[Cost]) -> str:
    """The plot as one SVG, which needs nothing else; empty panels are left out."""
    panels = [panel for panel in (_by_size(costs), _by_full(costs)) if panel.lines]
    width = WIDTH * max(len(panels), 1)
    drawn = (line for number, panel in enumerate(panels) for line in _drawn(panel, number * WIDTH))
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" role="img" '
            f'width="{width}" font-family="system-ui, sans-serif" font-size="11">',
            "<title>instructions of dma_map_single()</title>",
            f'<rect width="{width}" height="{HEIGHT}" fill="#ffffff"/>',
            *drawn,
            "</svg>\n",
        )
    )


def _by_size(costs: Sequence[Cost]) -> Panel:
    mapped = [one for one in costs if one.call == MAP and one.exact and not one.full]
    sizes = sorted({one.size for one in mapped})
    places = {size: float(at) for at, size in enumerate(sizes)}
    lines = _lines(mapped, lambda one: one.kind, lambda one: places[one.size])
    ticks = {at: size_text(size) for size, at in places.items()}
    return Panel("map, by size: instructions", lines, ticks, logarithmic=True)


def _by_full(costs: Sequence[Cost]) -> Panel:
    full = {one.kind for one in costs if one.full}
    mapped = [
        one
        for one in costs
        if one.call == MAP and one.exact and one.size == FULL_SIZE and one.kind in full
    ]
    lines = _lines(mapped, lambda one: one.kind, lambda one: float(one.full))
    ticks = {float(at): f"{at} %" for at in range(0, 101, 25)}
    title = f"map {size_text(FULL_SIZE)}, by how full the pool is: instructions"
    return Panel(title, lines, ticks if lines else {}, logarithmic=False)


def _lines(
    costs: Sequence[Cost], name: Callable[[Cost], str], place: Callable[[Cost], float]
) -> dict[str, Points]:
    found: dict[str, list[tuple[float, int]]] = {}
    for one in costs:
        if one.instructions is not None:
            found.setdefault(name(one), []).append((place(one), one.instructions))
    return {name: sorted(points) for name, points in found.items()}


def _drawn(panel: Panel, left: int) -> Iterator[str]:
    most = max(y for points in panel.lines.values() for _, y in points)
    least_x, most_x = min(panel.ticks), max(panel.ticks)

    def at_x(x: float) -> float:
        return left + LEFT + (x - least_x) / max(most_x - least_x, 1) * (WIDTH - LEFT - RIGHT)

    def at_y(y: float) -> float:
        part = log10(max(y, 1)) / log10(max(most, 10)) if panel.logarithmic else y / (1.1 * most)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    yield _text(left + 8, 18, panel.title, 'font-weight="600"')
    for y in _marks(most, panel.logarithmic):
        line = f'y1="{at_y(y):.1f}" y2="{at_y(y):.1f}" stroke="#dddddd"'
        yield f'<line x1="{left + LEFT}" x2="{left + WIDTH - RIGHT}" {line}/>'
        yield _text(left + LEFT - 6, at_y(y) + 4, f"{y:,}", 'text-anchor="end" fill="#555555"')
    for x, name in panel.ticks.items():
        yield _text(at_x(x), HEIGHT - BOTTOM + 16, name, 'text-anchor="middle" fill="#555555"')
    for number, (name, points) in enumerate(panel.lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
        for x, y in points:
            tip = f"<title>{escape(name)}: {y}</title>"
            place = f'cx="{at_x(x):.1f}" cy="{at_y(y):.1f}"'
            yield f'<circle {place} r="2.5" fill="{colour}">{tip}</circle>'
        yield _text(
            left + LEFT + 8, TOP + 10 + 14 * number, name, f'fill="{colour}" font-weight="600"'
        )


def _marks(most: int, logarithmic: bool) -> Sequence[int]:
    """Numbers of the y axis: powers of ten, or four even ones."""
    if logarithmic:
        return [10**power for power in range(int(log10(max(most, 10))) + 1)]
    step = 10 ** int(log10(max(most, 1)))
    step = next(one for one in (step // 4, step // 2, step) if one and most <= 5 * one)
    return range(0, most + 1, step)


def _text(x: float, y: float, text: str, look: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(text)}</text>'
