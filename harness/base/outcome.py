# SPDX-License-Identifier: Apache-2.0
"""Outcome of a guest: how it ended, and the exception for those who wait for it."""

from dataclasses import dataclass
from enum import Enum

from harness.base.errors import (
    GuestCrash,
    GuestError,
    GuestHang,
    HarnessError,
    HostError,
    QemuError,
)


class Outcome(Enum):
    """How a guest ended; READY while it lives."""

    READY = "ready"
    PANIC = "panic"
    OOPS = "oops"
    BUG = "bug"
    HANG = "hang"
    RESET = "reset"
    POWER_OFF = "power off"
    QEMU_DIED = "QEMU died"
    TIME_OUT = "time ran out"
    HOST_FAILED = "the host failed"


@dataclass(frozen=True)
class Ending:
    """How a guest ended; *detail* is one line with what was seen."""

    outcome: Outcome
    detail: str

    def __str__(self) -> str:
        return f"{self.outcome.value}: {self.detail}"

    def error(self) -> GuestError | HarnessError:
        """The exception to raise in a caller that waits for this guest."""
        if self.outcome is Outcome.QEMU_DIED:
            return QemuError(str(self))
        if self.outcome is Outcome.HOST_FAILED:
            return HostError(self.detail)
        if self.outcome in (Outcome.HANG, Outcome.TIME_OUT):
            return GuestHang(str(self))
        return GuestCrash(str(self))
