# SPDX-License-Identifier: Apache-2.0
"""A cell of the table: one attack by one rogue under one protection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from harness.base.errors import InputError
from harness.devices.attacks import Outcome, Protection, attacks
from harness.devices.rogue import rogue_kinds


@dataclass(frozen=True)
class Cell:
    """*attack* and *rogue* by name."""

    attack: str
    rogue: str
    protection: Protection

    def __str__(self) -> str:
        return f"{self.attack} by {self.rogue} under {self.protection.value}"

    @property
    def expected(self) -> Outcome:
        """What should come of it."""
        return attacks()[self.attack].expected[self.protection]


@dataclass(frozen=True)
class CellResult:
    """What came of a cell: an *outcome*, or None if the harness could not tell.

    *refused* are accesses that the fence did not let through, *seconds* is what it all took.
    """

    cell: Cell
    outcome: Outcome | None
    artifacts: str
    refused: int
    seconds: float

    @property
    def as_expected(self) -> bool:
        """Whether it came as it should."""
        return self.outcome is self.cell.expected


def cells(names: Sequence[str] = ()) -> list[Cell]:
    """Every cell that makes sense, of attacks whose names match one of the globs *names*.

    Raises InputError when a glob matches no attack.
    """
    for glob in names:
        if not any(fnmatch(name, glob) for name in attacks()):
            raise InputError(f"no attack is named '{glob}'; there are: {', '.join(attacks())}")
    wanted = [n for n in attacks() if not names or any(fnmatch(n, glob) for glob in names)]
    return [cell for name in wanted for cell in _cells_of(name)]


def _cells_of(name: str) -> Iterator[Cell]:
    attack = attacks()[name]
    for rogue in set(attack.rogues) & rogue_kinds().keys():
        for protection in attack.expected:
            if protection is not Protection.IOMMU or rogue_kinds()[rogue].behind_iommu:
                yield Cell(name, rogue, protection)
