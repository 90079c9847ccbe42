# SPDX-License-Identifier: Apache-2.0
"""A measured number: its samples, its median and its goal."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """Some samples of one number in *unit*; *most* or *least* is the goal for its median."""

    name: str
    unit: str
    samples: tuple[float, ...]
    most: float | None = None
    least: float | None = None

    @property
    def median(self) -> float:
        """The median of the samples."""
        return statistics.median(self.samples)

    @property
    def goal(self) -> str:
        """The goal as text; empty without one."""
        if self.most is not None:
            return f"<= {self.most:.4g}"
        return "" if self.least is None else f">= {self.least:.4g}"

    @property
    def met(self) -> bool:
        """Whether the median reaches the goal; true without one."""
        return (self.most is None or self.median <= self.most) and (
            self.least is None or self.median >= self.least
        )
