# SPDX-License-Identifier: Apache-2.0
"""Collect the gcov counters of guests.

A restored guest starts with the counters of the parked guest. So only what it adds is kept, and
the counts of the parked guest are kept once, however often it is restored.
"""

import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from operator import sub
from pathlib import Path

from harness.base.cache import digest
from harness.base.disk import write_whole
from harness.base.errors import AddressError, QemuError
from harness.jobs.coverage.counts import Counts, load_counts, read_counts, save_counts
from harness.jobs.coverage.layout import load_layout
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory, Symbols, live_memory

COUNTS = "counts"
"""The folder of a coverage directory that holds a file for each guest.

The guests of a test lie in a folder of their own, with its node id in the file TEST; parked ones
beside these folders.
"""

TEST = "test"


class Collector:
    """Keeps the counts of the guests of one kernel under *directory*, where its layout lies."""

    def __init__(self, directory: Path, vmlinux: Path) -> None:
        self._layout = load_layout(directory)
        self._symbols = Symbols(vmlinux)
        self._directory = directory / COUNTS
        self._directory.mkdir(exist_ok=True)

    def watch(self, guest: Guest, test: str) -> None:
        """Keep the counts of *guest*, just started by the test with node id *test*, at its end."""
        if guest.machine.kernel.key != self._layout.kernel:
            return
        memory = live_memory(guest)
        begin = self._begin(guest, memory)
        guest.at_close(self._end(memory, begin, test))

    def _begin(self, guest: Guest, memory: LiveMemory) -> Counts | None:
        """The counts that a restored guest starts with; None for one that was booted."""
        if guest.boot_log is None:
            return None
        begin = read_counts(memory, self._symbols, self._layout)
        save_counts(begin, self._directory / f"parked-{guest.machine.key}.json")
        return begin

    def _end(self, memory: LiveMemory, begin: Counts | None, test: str) -> Callable[[], None]:
        def keep() -> None:
            # a guest that never ran, or whose QEMU died, has no counters to read
            with memory, suppress(AddressError, QemuError):
                counts = read_counts(memory, self._symbols, self._layout)
                added = counts if begin is None else tuple(map(sub, counts, begin))
                folder = self._directory / digest(test)
                folder.mkdir(exist_ok=True)
                write_whole(folder / TEST, test)
                save_counts(added, folder / f"guest-{uuid.uuid4().hex}.json")

        return keep


def counts_of_tests(directory: Path) -> Iterator[tuple[str, Counts]]:
    """The node id of a test and the counts of a guest that it started, for each such guest."""
    for named in sorted((directory / COUNTS).glob(f"*/{TEST}")):
        for counts in load_counts(named.parent):
            yield named.read_text(), counts
