# SPDX-License-Identifier: Apache-2.0
"""A line of small bars: how long a test took in its last runs."""

from collections.abc import Sequence

MOST = 20
"""Runs that are shown, the newest at the right."""

BAR, HEIGHT = 5, 18


def spark(seconds: Sequence[float]) -> str:
    """The bars as SVG, as high as each run took in the longest's measure; empty for no runs."""
    shown = seconds[-MOST:]
    if not shown:
        return ""
    longest = max(*shown, 1e-9)
    bars = "".join(
        f'<rect x="{number * BAR}" y="{HEIGHT - height:.1f}" width="{BAR - 1}" '
        f'height="{height:.1f}"><title>{value:.2f} s</title></rect>'
        for number, value in enumerate(shown)
        for height in [max(1.0, HEIGHT * value / longest)]
    )
    width = len(shown) * BAR
    said = f"{min(shown):.2f} to {max(shown):.2f} s in {len(shown)} runs"
    return (
        f'<svg class="spark" width="{width}" height="{HEIGHT}" role="img" '
        f'aria-label="{said}">{bars}</svg>'
    )
