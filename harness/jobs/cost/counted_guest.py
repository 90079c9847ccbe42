# SPDX-License-Identifier: Apache-2.0
"""A guest whose executed instructions are counted from outside, by a TCG plugin (count.c).

That counts whatever the kernel does, on all CPUs, interrupts among it. The instructions of single
calls are counted by the machine's PMU instead (meters.py), to the instruction.
"""

import mmap
import os
import struct
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from harness.base.errors import GuestHang
from harness.jobs.cost.copied import copied_during, watch_pools
from harness.jobs.cost.cost import Cost, median_cost
from harness.jobs.double_fetch.watch import Watched
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import park, restore
from harness.machine.tcg_plugin import build_plugin
from harness.observe.memory import KnownTypes, live_memory
from harness.observe.quiet import Quiet

SOURCE = Path(__file__).with_name("count.c")

MOST_CPUS = 64
"""As in count.c."""

LOOK = 1.0
"""Seconds of the guest's own time after which a wait looks whether it takes too long."""

TIMEOUT = 20.0
"""Seconds of the guest's own time for a request; it takes milliseconds."""

_COUNTS = struct.Struct(f"<{MOST_CPUS}Q")


@dataclass(frozen=True)
class Spent:
    """The kernel's *instructions* for something, and the bytes that it *copied*.

    *copied* is None if the accesses to the pools were not seen.
    """

    instructions: int
    copied: int | None


def median_spent(call: str, size: int, kind: str, spent: Sequence[Spent]) -> Cost:
    """The cost of work that *spent* so much each time."""
    copied = [one.copied for one in spent if one.copied is not None]
    return median_cost(call, size, kind, [one.instructions for one in spent], copied)


class CountedGuest(AbstractContextManager["CountedGuest"]):
    """*machine*, restored with the plugin; raises HostError when QEMU takes no plugins.

    *copies*: whether copied bytes are counted as well, which makes it slower.
    """

    def __init__(self, machine: Machine, copies: bool = False) -> None:
        plugin = str(build_plugin(machine.qemu, SOURCE)).replace(",", ",,")
        self._file = os.memfd_create("instructions")
        os.ftruncate(self._file, mmap.PAGESIZE)
        self._memory = mmap.mmap(self._file, mmap.PAGESIZE)
        try:
            option = f"file={plugin},counts=/proc/self/fd/{self._file}"
            self.guest, self._watched = self._restored(machine, ("-plugin", option), copies)
        except BaseException:
            self._close_file()
            raise

    def _restored(
        self, machine: Machine, extra: tuple[str, ...], copies: bool
    ) -> tuple[Guest, Watched | None]:
        """The guest, and what sees its accesses to pools; without, where that is not possible."""
        snapshot, files = park(machine), (self._file,)
        if copies and machine.devicetree.pools:
            watched = watch_pools(snapshot, extra, files)
            if watched is not None:
                return watched.guest, watched
        return restore(snapshot, extra=extra, files=files), None

    def during(self, work: Callable[[], object]) -> Spent:
        """What the kernel spends during *work*, on all CPUs and in interrupts."""
        before = self.executed
        if self._watched is None:
            work()
            copied = None if self.guest.machine.devicetree.pools else 0
        else:
            copied = copied_during(self._watched, work)
        return Spent(self.executed - before, copied)

    def quiet(self, known: KnownTypes) -> Quiet:
        """What sees whether the guest has anything to do; NoDebugInformation without types."""
        memory = live_memory(self.guest)
        self.guest.at_close(memory.close)
        return Quiet(self.guest, known.on(self.guest.machine.kernel, memory), Lock())

    def wait_quiet(self, quiet: Quiet, number: Callable[[], int], least: int, what: str) -> None:
        """Wait until *number* is *least* or more, and the guest has nothing to do.

        Raises GuestHang after TIMEOUT seconds; *what* was awaited.
        """
        patience = self.guest.watch.patience(TIMEOUT)
        while not (quiet.wait(LOOK, number) and number() >= least):
            if patience.left() <= 0:
                raise GuestHang(
                    f"waited {TIMEOUT:g} s for {what}, and for the guest to have nothing left to do"
                )

    @property
    def executed(self) -> int:
        """The kernel's instructions so far, of all CPUs."""
        return sum(_COUNTS.unpack_from(self._memory))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.guest.close()
        self._close_file()

    def _close_file(self) -> None:
        self._memory.close()
        os.close(self._file)
