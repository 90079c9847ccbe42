# SPDX-License-Identifier: Apache-2.0
"""A cost as data: the instructions of a call and the bytes that it copies, and how they changed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from harness.base.errors import InputError

FORMAT, OLD_FORMATS = 3, (1, 2)
"""Of a file; the old ones have no bytes, and the first no ranges."""

BYTES = "bytes copied"
"""The name of the second number."""

Subject = tuple[str, int, str, int]


@dataclass(frozen=True)
class Cost:
    """The *instructions* of *call* for *size* bytes on a device of *kind*.

    *full* is how much of the pool was in use, in per cent. None: the kernel refused the call.
    With *low* and *high*, the least and the most of several times, *instructions* is the median;
    without, the number is the same each time. *copied*: the bytes that the CPU writes to the pool
    and reads from it, as a median too; None: not counted.
    """

    call: str
    size: int
    kind: str
    full: int
    instructions: int | None
    low: int | None = None
    high: int | None = None
    copied: int | None = None

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

    def instructions_differ(self, other: "Cost") -> bool:
        """Whether *other* is of a kernel that takes others: ranges that overlap are no change."""
        if self.exact or other.exact or self.instructions is None or other.instructions is None:
            return self.instructions != other.instructions
        assert self.low is not None
        assert self.high is not None
        assert other.low is not None
        assert other.high is not None
        return self.high < other.low or other.high < self.low

    def copied_differs(self, other: "Cost") -> bool:
        """Whether *other* is of a kernel that copies others, if both were counted."""
        return None not in (self.copied, other.copied) and self.copied != other.copied


def median_cost(
    call: str, size: int, kind: str, counts: Sequence[int], copied: Sequence[int] = ()
) -> Cost:
    """The cost of a call whose *counts* and *copied* bytes differ from time to time."""
    numbers = int(median(counts)), min(counts), max(counts)
    return Cost(call, size, kind, 0, *numbers, int(median(copied)) if copied else None)


@dataclass(frozen=True)
class NumberChange:
    """A number that differs between two kernels; None: the kernel refuses the call.

    *unit* is empty for instructions.
    """

    before: int | None
    after: int | None
    unit: str = ""

    @property
    def per_cent(self) -> float | None:
        """How much it grew; None if it was 0, or one of the kernels refuses the call."""
        if not self.before or self.after is None:
            return None
        return 100 * (self.after - self.before) / self.before

    @property
    def growth(self) -> float:
        """The same as a number: without limit if it was 0 or is refused now, lowest if it was."""
        if self.after is None or self.before == 0:
            return float("inf")
        return float("-inf") if self.per_cent is None else self.per_cent


@dataclass(frozen=True)
class CostChange:
    """A cost that differs between two kernels."""

    before: Cost
    after: Cost

    @property
    def numbers(self) -> tuple[NumberChange, ...]:
        """Those of its numbers that differ."""
        before, after = self.before, self.after
        instructions = NumberChange(before.instructions, after.instructions)
        copied = NumberChange(before.copied, after.copied, BYTES)
        return (
            *((instructions,) if before.instructions_differ(after) else ()),
            *((copied,) if before.copied_differs(after) else ()),
        )

    @property
    def growth(self) -> float:
        """How much the number grew that grew most, in per cent."""
        return max(one.growth for one in self.numbers)


def compare_costs(before: Iterable[Cost], after: Iterable[Cost]) -> tuple[CostChange, ...]:
    """The costs of the same calls that differ, the largest growth first."""
    known = {one.subject: one for one in before}
    pairs = (CostChange(known[one.subject], one) for one in after if one.subject in known)
    changed = (one for one in pairs if one.numbers)
    return tuple(sorted(changed, key=lambda one: -one.growth))


def beyond(changes: Iterable[CostChange], limit: float | None) -> tuple[CostChange, ...]:
    """The changes by more than *limit* per cent, and calls that are refused now; none for None."""
    return () if limit is None else tuple(one for one in changes if one.growth > limit)


def save_costs(costs: Sequence[Cost], path: Path) -> None:
    """Write *costs* as JSON."""
    content = {"format": FORMAT, "unit": "instructions", "costs": [asdict(one) for one in costs]}
    path.write_text(json.dumps(content, indent=1) + "\n")


def load_costs(path: Path) -> tuple[Cost, ...]:
    """Read what :func:`save_costs` wrote; InputError for anything else."""
    try:
        content = json.loads(path.read_text())
        if content["format"] not in (*OLD_FORMATS, FORMAT):
            raise InputError(f"{path} is of format {content['format']}, expected {FORMAT}.")
        return tuple(Cost(**one) for one in content["costs"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError(f"{path} is no file of 'harness cost --json': {fault}") from fault
