# SPDX-License-Identifier: Apache-2.0
"""What an attack is, and what may come of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from harness.devices.attacks.scene import Scene


class Protection(Enum):
    """What stands between the rogue and memory."""

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


class Outcome(Enum):
    """What came of an attack."""

    STOPPED = "stopped"
    """No byte was read or written."""

    CONTAINED = "contained"
    """Bytes of the pool were, and nothing else noticed."""

    SUCCEEDED = "succeeded"


@dataclass(frozen=True)
class Result:
    """The *outcome* of one attack and what was seen of it, in a line."""

    outcome: Outcome
    artifacts: str


Expected = Mapping[Protection, Outcome]

ON_KERNEL_MEMORY: Expected = MappingProxyType(
    {
        Protection.NOTHING: Outcome.SUCCEEDED,
        Protection.POOL: Outcome.SUCCEEDED,
        Protection.FENCE: Outcome.STOPPED,
        Protection.BOTH: Outcome.STOPPED,
        Protection.IOMMU: Outcome.STOPPED,
    }
)
"""A pool alone asks a hostile device to stay within; nothing makes it."""

EVERY_ROGUE = ("edu", "nvme", "rng")


@dataclass(frozen=True)
class Attack:
    """A named attack: *run* carries it out and looks at its effect from inside the guest.

    *expected* has no entry for protections under which it makes no sense; *unless* says why, and
    why it is not for every one of the *rogues*. *shape* is the devicetree's where it has a pool;
    *on_fence*: its outcome is whether the fence stands.
    """

    does: str
    run: Callable[[Scene], Result]
    expected: Expected
    rogues: tuple[str, ...] = EVERY_ROGUE
    unless: str = ""
    shape: str = "pool-shared"
    on_fence: bool = False
