# SPDX-License-Identifier: Apache-2.0
"""The attack matrix: its cells, each one attack by one rogue under one protection."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from harness.base.errors import InputError
from harness.devices.attacks.attack import Effect, Protection
from harness.devices.attacks.registry import attacks
from harness.devices.rogue import rogue_kinds


@dataclass(frozen=True)
class Cell:
    """One attack by one rogue under one protection; *attack* and *rogue* are names."""

    attack: str
    rogue: str
    protection: Protection

    def __str__(self) -> str:
        return f"{self.attack} by {self.rogue} under {self.protection.value}"

    @property
    def expected(self) -> Effect:
        """The effect it should have."""
        return attacks()[self.attack].expected[self.protection]


@dataclass(frozen=True)
class MeasuredCell:
    """A cell and the *effect* that was measured; None if the harness failed, as *detail* says.

    *refused* counts the accesses that the fence refused, *seconds* is the time for the cell.
    """

    cell: Cell
    effect: Effect | None
    detail: str
    refused: int
    seconds: float

    @property
    def as_expected(self) -> bool:
        """Whether the effect is the expected one."""
        return self.effect is self.cell.expected


def cells(names: Sequence[str] = ()) -> list[Cell]:
    """Every cell that applies, of attacks whose names match one of the globs *names*.

    Raises InputError when a glob matches no attack.
    """
    for glob in names:
        if not any(fnmatch(name, glob) for name in attacks()):
            raise InputError(
                f"unknown attack '{glob}': expected a name or a glob of {', '.join(attacks())}"
            )
    wanted = [n for n in attacks() if not names or any(fnmatch(n, glob) for glob in names)]
    return [cell for name in wanted for cell in _cells_of(name)]


def _cells_of(name: str) -> Iterator[Cell]:
    attack = attacks()[name]
    for rogue in attack.rogues:
        for protection in attack.expected if rogue in rogue_kinds() else ():
            if protection is not Protection.IOMMU or rogue_kinds()[rogue].behind_iommu:
                yield Cell(name, rogue, protection)
