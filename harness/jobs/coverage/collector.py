# SPDX-License-Identifier: Apache-2.0
"""Collect the gcov counters of guests.

A restored guest starts with the counters of the parked guest. So only what it adds is kept, and
the counts of the parked guest are kept once, however often it is restored.
"""

import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import sub
from pathlib import Path

from harness.base.errors import AddressError, QemuError
from harness.jobs.coverage.counts import Counts, read_counts, save_counts
from harness.jobs.coverage.layout import load_layout
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory, Symbols, live_memory

COUNTS = "counts"
"""The folder of a coverage directory that holds a file for each guest.

The guests of tests lie in folders, named by the properties of the test; parked ones beside these.
"""

NO_PROPERTY = "none"
"""The folder of the guests of tests that name no property."""


class Collector:
    """Keeps the counts of the guests of one kernel under *directory*, where its layout lies."""

    def __init__(self, directory: Path, vmlinux: Path) -> None:
        self._layout = load_layout(directory)
        self._symbols = Symbols(vmlinux)
        self._directory = directory / COUNTS
        self._directory.mkdir(exist_ok=True)

    def watch(self, guest: Guest, properties: Sequence[str]) -> None:
        """Keep the counts of *guest*, just started by a test of *properties*, at its end."""
        if guest.machine.kernel.key != self._layout.kernel:
            return
        memory = live_memory(guest)
        begin = self._begin(guest, memory)
        folder = self._directory / (",".join(properties) or NO_PROPERTY)
        guest.at_close(self._end(memory, begin, folder))

    def _begin(self, guest: Guest, memory: LiveMemory) -> Counts | None:
        """The counts that a restored guest starts with; None for one that was booted."""
        if guest.boot_log is None:
            return None
        begin = read_counts(memory, self._symbols, self._layout)
        save_counts(begin, self._directory / f"parked-{guest.machine.key}.json")
        return begin

    def _end(self, memory: LiveMemory, begin: Counts | None, folder: Path) -> Callable[[], None]:
        def keep() -> None:
            # a guest that never ran, or whose QEMU died, has no counters to read
            with memory, suppress(AddressError, QemuError):
                counts = read_counts(memory, self._symbols, self._layout)
                added = counts if begin is None else tuple(map(sub, counts, begin))
                folder.mkdir(exist_ok=True)
                save_counts(added, folder / f"guest-{uuid.uuid4().hex}.json")

        return keep


def properties_of_folder(folder: Path) -> tuple[str, ...]:
    """The properties of the tests whose guests' counts lie in *folder*."""
    return () if folder.name == NO_PROPERTY else tuple(folder.name.split(","))
