# SPDX-License-Identifier: Apache-2.0
"""What a driver did in a pool of one size, and what follows for the size that it needs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import Enum, IntEnum
from typing import Any

from harness.kernel import SLOT
from harness.results import Verdict
from harness.results.judge import overall

FORMAT = 1


class Ending(Enum):
    """How a workload ended; NEVER_RESTS: it did, and the kernel is busy forever."""

    WORKS = "works"
    FAILS = "fails"
    NEVER_ENDS = "never ends"
    NEVER_RESTS = "never rests"
    UNBOUND = "does not bind"
    CRASHES = "crashes"
    OUTSIDE = "outside its pool"


class Level(IntEnum):
    """How good a pool is; a larger pool is never worse."""

    USELESS = 0
    ENDS = 1
    NO_ERRORS = 2
    FULL_SPEED = 3


@dataclass(frozen=True)
class Holder:
    """Who holds slots: *callers* are functions, innermost first, that made *call* of the DMA API.

    *coherent*: coherent memory, else streaming mappings. *slots* of *mappings*.
    """

    callers: tuple[str, ...]
    call: str
    coherent: bool
    mappings: int
    slots: int


@dataclass(frozen=True)
class Trial:
    """What a driver did with a pool of *size* bytes.

    *detail* says more of the *outcome*. *bound*: slots in use before the workload, *peak*: most
    slots in use at once, *exact* or at least; *counted*: the same, as the kernel counted it.
    *largest*: bytes of the largest mapping seen.
    *refused*: whether the kernel refused a mapping. *waits*: how often the guest had nothing left
    to do but to wait for the device; None for a device that the harness cannot hold. *moved*:
    bytes that the device moved. *holders*: who had slots at the first refusal, or at the peak.
    *said*: the kernel's lines about it.
    """

    size: int
    outcome: Ending
    detail: str = ""
    bound: int = 0
    peak: int = 0
    exact: bool = True
    counted: int | None = None
    largest: int = 0
    refused: bool = False
    waits: int | None = None
    moved: int = 0
    holders: tuple[Holder, ...] = ()
    said: tuple[str, ...] = ()

    def level(self, ample: "Trial | None" = None) -> Level:
        """How good the pool is, compared with an *ample* one: it never waits more often."""
        if self.outcome not in (Ending.WORKS, Ending.FAILS):
            return Level.USELESS
        if self.outcome is Ending.FAILS:
            return Level.ENDS
        more = ample is not None and (self.waits or 0) > (ample.waits or 0)
        return Level.NO_ERRORS if self.refused or more else Level.FULL_SPEED


@dataclass(frozen=True)
class Sizing:
    """The answer for one *device*.

    *ample* is the trial with the largest pool; None if there is no driver for it (*reason*).
    *smallest* are the smallest pools in bytes by what they give. *below* are trials with smaller
    pools, the largest of each kind first; *finding* names the finding that one of them is.
    """

    device: str
    driver: str
    workload: str = ""
    reason: str = ""
    ample: Trial | None = None
    smallest: Mapping[Level, int] | None = None
    below: tuple[Trial, ...] = ()

    def finding(self, trial: Trial) -> str:
        """The name of the finding that *trial* shows; empty if it is none."""
        return FINDINGS.get((self.device, trial.outcome), "")

    @property
    def verdict(self) -> Verdict:
        """BAD if the device fails for a reason that is no finding."""
        if self.ample is None:
            return Verdict.NOT_JUDGED
        if self.ample.level() < Level.NO_ERRORS:
            return Verdict.NOT_JUDGED if self.ample.outcome is Ending.UNBOUND else Verdict.BAD
        bad = (Ending.OUTSIDE, Ending.CRASHES, Ending.NEVER_ENDS, Ending.NEVER_RESTS)
        new = any(one.outcome in bad and not self.finding(one) for one in self.below)
        return Verdict.BAD if new else Verdict.GOOD


FINDINGS: Mapping[tuple[str, Ending], str] = {
    ("virtio-blk", Ending.NEVER_ENDS): "virtio-blk-retries-for-ever",
    ("virtio-rng", Ending.NEVER_ENDS): "virtio-rng-waits-for-ever",
    ("nvme", Ending.NEVER_ENDS): "nvme-retries-forever",
    ("virtio-net", Ending.NEVER_RESTS): "virtio-net-refills-forever",
    ("xhci", Ending.NEVER_ENDS): "usb-retries-without-pause",
}
"""What is known of drivers in a pool that is too small (docs/findings.md)."""


def exit_code(found: Iterable[Sizing]) -> int:
    """0: all are measured; 1: a device failed for a reason that is no finding; else 2."""
    return overall(one.verdict for one in found).exit_code


def slots_of(size: int) -> int:
    """The slots of a pool of *size* bytes."""
    return size // SLOT


def as_json(kernel: str, machine: str, found: Sequence[Sizing]) -> Mapping[str, Any]:
    """The answers for a program; sizes in bytes."""
    return {
        "format": FORMAT,
        "kernel": kernel,
        "machine": machine,
        "exit_code": exit_code(found),
        "devices": [_json_of(one) for one in found],
    }


def _json_of(one: Sizing) -> Mapping[str, Any]:
    smallest = one.smallest or {}
    return {
        "device": one.device,
        "driver": one.driver,
        "workload": one.workload,
        "reason": one.reason,
        "smallest": {level.name.lower(): size for level, size in smallest.items()},
        "ample": one.ample and _trial_json(one, one.ample),
        "below": [_trial_json(one, trial) for trial in one.below],
    }


def _trial_json(one: Sizing, trial: Trial) -> Mapping[str, Any]:
    return {**asdict(trial), "outcome": trial.outcome.value, "finding": one.finding(trial)}
