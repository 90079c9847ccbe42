# SPDX-License-Identifier: Apache-2.0
"""A cost as data: the instructions of a call, and how they changed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from harness.base.errors import InputError

FORMAT, OLD_FORMAT = 2, 1
"""Of a file; the old one has no ranges."""

Subject = tuple[str, int, str, int]


@dataclass(frozen=True)
class Cost:
    """The *instructions* of *call* for *size* bytes on a device of *kind*.

    *full* is how much of the pool was in use, in per cent. None: the kernel refused the call.
    With *low* and *high*, the least and the most of several times, *instructions* is the median;
    without, the number is the same each time.
    """

    call: str
    size: int
    kind: str
    full: int
    instructions: int | None
    low: int | None = None
    high: int | None = None

    @property
    def subject(self) -> Subject:
        """All but the numbers."""
        return self.call, self.size, self.kind, self.full

    @property
    def exact(self) -> bool:
        """Whether the number is the same each time."""
        return self.low is None or self.high is None

    def __str__(self) -> str:
        if self.instructions is None:
            return "refused"
        return str(self.instructions) + ("" if self.exact else f" ({self.low} to {self.high})")

    def differs(self, other: "Cost") -> bool:
        """Whether *other*, of another kernel, is a change: ranges that overlap are none."""
        if self.exact or other.exact or self.instructions is None or other.instructions is None:
            return self.instructions != other.instructions
        assert self.low is not None
        assert self.high is not None
        assert other.low is not None
        assert other.high is not None
        return self.high < other.low or other.high < self.low


def median_cost(call: str, size: int, kind: str, counts: Sequence[int]) -> Cost:
    """The cost of a call whose *counts* differ from time to time."""
    return Cost(call, size, kind, 0, int(median(counts)), min(counts), max(counts))


@dataclass(frozen=True)
class CostChange:
    """A cost that differs between two kernels."""

    before: Cost
    after: Cost

    @property
    def per_cent(self) -> float | None:
        """How much it grew; None if one of the kernels refuses the call."""
        before, after = self.before.instructions, self.after.instructions
        return None if not before or after is None else 100 * (after - before) / before


def compare_costs(before: Iterable[Cost], after: Iterable[Cost]) -> tuple[CostChange, ...]:
    """The costs of the same calls that differ, the largest growth first."""
    known = {one.subject: one for one in before}
    pairs = (CostChange(known[one.subject], one) for one in after if one.subject in known)
    changed = (one for one in pairs if one.before.differs(one.after))
    return tuple(sorted(changed, key=lambda one: -_growth(one)))


def beyond(changes: Iterable[CostChange], limit: float | None) -> tuple[CostChange, ...]:
    """The changes by more than *limit* per cent, and calls that are refused now; none for None."""
    return () if limit is None else tuple(one for one in changes if _growth(one) > limit)


def save_costs(costs: Sequence[Cost], path: Path) -> None:
    """Write *costs* as JSON."""
    content = {"format": FORMAT, "unit": "instructions", "costs": [asdict(one) for one in costs]}
    path.write_text(json.dumps(content, indent=1) + "\n")


def load_costs(path: Path) -> tuple[Cost, ...]:
    """Read what :func:`save_costs` wrote; InputError for anything else."""
    try:
        content = json.loads(path.read_text())
        if content["format"] not in (OLD_FORMAT, FORMAT):
            raise InputError(f"{path} is of format {content['format']}, expected {FORMAT}.")
        return tuple(Cost(**one) for one in content["costs"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError(f"{path} is no file of 'harness cost --json': {fault}") from fault


def _growth(change: CostChange) -> float:
    """How much it grew in per cent: without limit if it is refused now, below all if it was."""
    if change.after.instructions is None:
        return float("inf")
    growth = change.per_cent
    return float("-inf") if growth is None else growth
