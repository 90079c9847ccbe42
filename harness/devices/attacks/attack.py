# SPDX-License-Identifier: Apache-2.0
"""Attack, Protection, Effect: what a rogue tries, against what, and what it achieves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from harness.devices.attacks.context import Context


class Protection(Enum):
    """Protection of memory against the rogue."""

    NOTHING = "nothing"
    POOL = "pool"
    FENCE = "fence"
    BOTH = "pool + fence"
    IOMMU = "IOMMU"

    @property
    def pool(self) -> bool:
        """Whether the kernel was told of a pool."""
        return self in (Protection.POOL, Protection.BOTH)

    @property
    def fence(self) -> bool:
        """Whether firmware confines devices to the memory of the pool."""
        return self in (Protection.FENCE, Protection.BOTH)


class Effect(Enum):
    """What an attack achieved."""

    STOPPED = "stopped"
    """No byte was read or written."""

    CONTAINED = "contained"
    """Bytes of the pool were read or written, and none outside it."""

    SUCCEEDED = "succeeded"
    """Bytes outside the pool were read or written, or the attack did what it is for."""


@dataclass(frozen=True)
class Observation:
    """The *effect* of one attack that was carried out; *detail* says in a line what was seen."""

    effect: Effect
    detail: str


Expected = Mapping[Protection, Effect]

ON_KERNEL_MEMORY: Expected = MappingProxyType(
    {
        Protection.NOTHING: Effect.SUCCEEDED,
        Protection.POOL: Effect.SUCCEEDED,
        Protection.FENCE: Effect.STOPPED,
        Protection.BOTH: Effect.STOPPED,
        Protection.IOMMU: Effect.STOPPED,
    }
)
"""A pool alone does not stop a device that ignores it."""

EVERY_ROGUE = ("edu", "nvme", "rng")


@dataclass(frozen=True)
class Attack:
    """A named attack: *run* carries it out and observes its effect from inside the guest.

    *expected* lacks protections to which the attack does not apply, and *rogues* those that cannot
    carry it out; *unless* says why. *shape* is the devicetree overlay with
    the pool. *on_fence*: the attack is on the fence itself, and succeeds if the fence is damaged.
    """

    does: str
    run: Callable[[Context], Observation]
    expected: Expected
    rogues: tuple[str, ...] = EVERY_ROGUE
    unless: str = ""
    shape: str = "pool-shared"
    on_fence: bool = False
