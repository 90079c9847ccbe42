# SPDX-License-Identifier: Apache-2.0
"""A guest whose executed instructions are counted from outside, by a TCG plugin (count.c).

That counts whatever the kernel does, on all CPUs, interrupts among it. Single calls are counted by
the machine's PMU instead (measure.py), to the instruction.
"""

import mmap
import os
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from harness.base.errors import GuestHang
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


class CountedGuest(AbstractContextManager["CountedGuest"]):
    """*machine*, restored with the plugin; raises HostError when QEMU takes no plugins."""

    def __init__(self, machine: Machine) -> None:
        plugin = str(build_plugin(machine.qemu, SOURCE)).replace(",", ",,")
        self._file = os.memfd_create("instructions")
        os.ftruncate(self._file, mmap.PAGESIZE)
        self._memory = mmap.mmap(self._file, mmap.PAGESIZE)
        try:
            option = f"file={plugin},counts=/proc/self/fd/{self._file}"
            extra = ("-plugin", option)
            self.guest: Guest = restore(park(machine), extra=extra, files=(self._file,))
        except BaseException:
            self._close_file()
            raise

    def quiet(self, known: KnownTypes) -> Quiet:
        """What sees whether the guest has anything to do; NoDebugInformation without types."""
        memory = live_memory(self.guest)
        self.guest.at_close(memory.close)
        return Quiet(self.guest, known.on(self.guest.machine.kernel, memory), Lock())

    def executed_when(self, quiet: Quiet, number: Callable[[], int], least: int, what: str) -> int:
        """What was executed when *number* is *least* or more, and the guest has nothing to do.

        Raises GuestHang after TIMEOUT seconds; *what* was awaited.
        """
        patience = self.guest.watch.patience(TIMEOUT)
        while not (quiet.wait(LOOK, number) and number() >= least):
            if patience.left() <= 0:
                raise GuestHang(
                    f"waited {TIMEOUT:g} s for {what}, and for the guest to have nothing left to do"
                )
        return self.executed

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
