# SPDX-License-Identifier: Apache-2.0
"""Answers of a check: of each pool, of each device, and of the whole kernel."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from harness.base.hex_repr import hex_repr
from harness.machine.devicetree import Pool
from harness.machine.fence import Refusal
from harness.results import Verdict
from harness.results.judge import overall


class PoolTreatment(Enum):
    """What the kernel did with the node of a pool."""

    RECOGNISED = "recognised"
    IGNORED = "ignored"
    REFUSED = "refused"


@dataclass(frozen=True)
class PoolAnswer:
    """The state of *pool*; *reason* is the kernel's, or empty."""

    pool: Pool
    state: PoolTreatment
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.pool}: {self.state.value}" + (f": {self.reason}" if self.reason else "")


class DeviceState(Enum):
    """What a driver's device did."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    BROKEN = "does not work"
    UNBOUND = "does not bind"
    LACKING = "no driver"

    @property
    def verdict(self) -> Verdict:
        """The verdict on the kernel; a driver that the kernel lacks says nothing against it."""
        if self in (DeviceState.OUTSIDE, DeviceState.BROKEN):
            return Verdict.BAD
        return Verdict.NOT_JUDGED if self is DeviceState.UNBOUND else Verdict.GOOD


@hex_repr
@dataclass(frozen=True)
class DmaCall:
    """The call of the DMA API that gave a device an address range: a trace event of the kernel's.

    *event* is its name, *base* and *size* what the device was given. *frames* are the functions
    that led to it, innermost first, without those of the DMA API itself.
    """

    event: str
    base: int
    size: int
    frames: tuple[str, ...]

    @property
    def caller(self) -> str:
        """The function that asked for the mapping."""
        return self.frames[0] if self.frames else "an unknown function"


@dataclass(frozen=True)
class Escape:
    """Accesses outside the pool that the fence refused: the *first*, and how many there were.

    *origin* is where the address came from; None if the kernel does not tell.
    """

    first: Refusal
    count: int
    origin: DmaCall | None = None

    @property
    def text(self) -> str:
        """A sentence's end: who accessed what."""
        access = "accessed" if self.first.access == "?" else self.first.access
        origin = f", mapped by {self.origin.caller}()" if self.origin else ""
        return f"{access} {self.first.address:#x}{origin}"


@dataclass(frozen=True)
class DeviceAnswer:
    """The state of a device; *driver* is the Linux driver, *detail* why or how much.

    *lines* are the kernel's last words about the device.
    """

    device: str
    driver: str
    state: DeviceState
    detail: str
    escape: Escape | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class KernelCheck:
    """The answers for one kernel.

    *machine* says on what it ran. *built* is whether the kernel was built with restricted pools,
    *asked* are the devices that the user named.
    """

    kernel: str
    machine: str
    built: bool
    pools: tuple[PoolAnswer, ...]
    devices: tuple[DeviceAnswer, ...]
    asked: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """GOOD if all devices are inside, BAD if one is outside or broken, else NOT_JUDGED."""
        verdict = overall(answer.state.verdict for answer in self.devices)
        judged = {answer.device for answer in self.devices if answer.state is DeviceState.INSIDE}
        if verdict is Verdict.GOOD and not (judged and judged.issuperset(self.asked)):
            return Verdict.NOT_JUDGED
        return verdict

    def count(self, *states: DeviceState) -> int:
        """How many devices have one of *states*."""
        return sum(answer.state in states for answer in self.devices)


def as_json(check: KernelCheck) -> Mapping[str, Any]:
    """The answers for a program; addresses in hexadecimal."""
    return {
        "kernel": check.kernel,
        "machine": check.machine,
        "feature_built": check.built,
        "exit_code": check.verdict.exit_code,
        "pools": [
            {
                "name": answer.pool.name,
                "base": f"{answer.pool.base:#x}",
                "size": answer.pool.size,
                "state": answer.state.value,
                "reason": answer.reason,
            }
            for answer in check.pools
        ],
        "devices": [
            {
                "device": answer.device,
                "driver": answer.driver,
                "state": answer.state.value,
                "detail": answer.detail,
                "refused": _escape_json(answer.escape) if answer.escape else None,
                "kernel_log": answer.lines,
            }
            for answer in check.devices
        ],
    }


def _escape_json(escape: Escape) -> Mapping[str, Any]:
    origin = escape.origin
    return {
        "device": escape.first.device,
        "address": f"{escape.first.address:#x}",
        "access": escape.first.access,
        "count": escape.count,
        "mapped": origin
        and {
            "event": origin.event,
            "base": f"{origin.base:#x}",
            "size": origin.size,
            "frames": origin.frames,
        },
    }
