# SPDX-License-Identifier: Apache-2.0
"""Measures as a table for people and as JSON for programs."""

import json
import platform
from collections.abc import Sequence
from pathlib import Path

from rich.table import Column, Table

from harness.jobs.bench.measure import Measure


def table(measures: Sequence[Measure]) -> Table:
    """One row per measure: median, range, goal and whether it is met."""
    result = Table(Column("what", no_wrap=True), "median", "min", "max", "unit", "goal", "met")
    for one in measures:
        numbers = (one.median, min(one.samples), max(one.samples))
        met = ("yes" if one.met else "no") if one.goal else ""
        result.add_row(
            one.name,
            *(f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in numbers),
            one.unit,
            one.goal,
            met,
        )
    return result


def save(measures: Sequence[Measure], machine: str, path: Path) -> None:
    """Write all samples, the host and the machine to *path*."""
    content = {
        "host": {"processor": platform.machine(), "system": platform.platform()},
        "machine": machine,
        "measures": [
            {
                "name": one.name,
                "unit": one.unit,
                "median": one.median,
                "samples": one.samples,
                "goal": one.goal,
                "met": one.met,
            }
            for one in measures
        ],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
