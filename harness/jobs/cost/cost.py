# SPDX-License-Identifier: Apache-2.0
"""A cost as data: the instructions of a call, and how they changed."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.base.errors import InputError

FORMAT = 1


@dataclass(frozen=True)
class Cost:
    """The *instructions* of *call* for *size* bytes on a device of *kind*.

    *full* is how much of the pool was in use, in per cent. None: the kernel refused the call.
    """

    call: str
    size: int
    kind: str
    full: int
    instructions: int | None

    @property
    def subject(self) -> tuple[str, int, str, int]:
        """All but the number."""
        return self.call, self.size, self.kind, self.full


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
    changed = (one for one in pairs if one.before != one.after)
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
        if content["format"] != FORMAT:
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
