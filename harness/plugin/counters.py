# SPDX-License-Identifier: Apache-2.0
"""A pool's counters in the guest's debugfs."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from harness.base.errors import AgentError, NotInKernel
from harness.machine.qemu.agent import Agent

DIRECTORIES = ("/sys/kernel/debug/swiotlb", "/sys/kernel/debug")
"""Where a pool's directory may be: below ``swiotlb`` or, when its first device probed before
that directory was made, at the top (kernel/dma/swiotlb.c:rmem_swiotlb_debugfs_init, 6.12)."""

COUNTER = "io_tlb_nslabs"
"""The file that identifies a pool's directory."""

WHAT = "the counters of a pool"


@dataclass(frozen=True)
class PoolCounters:
    """``io_tlb_nslabs``, ``io_tlb_used`` and ``io_tlb_used_hiwater`` of pool *name*, in slots."""

    agent: Agent = field(repr=False)
    name: str

    @property
    def nslabs(self) -> int:
        """The slots that the pool has."""
        return self._read(COUNTER)

    @property
    def used(self) -> int:
        """The slots in use now."""
        return self._read("io_tlb_used")

    @property
    def hiwater(self) -> int:
        """The most slots that were in use at once since the counter was last set to 0."""
        return self._read("io_tlb_used_hiwater")

    def set_hiwater(self, slots: int) -> None:
        """Reset the high-water mark with 0; any other number raises AgentError with EINVAL."""
        with _present(f"{self._directory}/io_tlb_used_hiwater") as path:
            self.agent.write_file(path, str(slots).encode())

    @property
    def transient(self) -> int:
        """The slots that exist for single mappings only (SWIOTLB_DYNAMIC)."""
        return self._read("io_tlb_transient_nslabs")

    @cached_property
    def _directory(self) -> str:
        """Where this pool's counters are."""
        missing: AgentError | None = None
        for parent in DIRECTORIES:
            directory = f"{parent}/{self.name}"
            try:
                self.agent.read_file(f"{directory}/{COUNTER}")
            except AgentError as error:
                missing = error
            else:
                return directory
        places = " or ".join(f"{parent}/{self.name}/{COUNTER}" for parent in DIRECTORIES)
        raise NotInKernel(WHAT, "file", places) from missing

    def _read(self, counter: str) -> int:
        with _present(f"{self._directory}/{counter}") as path:
            return int(self.agent.read_file(path))


@contextmanager
def _present(path: str) -> Iterator[str]:
    """Raise NotInKernel if debugfs does not have the file."""
    try:
        yield path
    except AgentError as error:
        if error.errno == errno.ENOENT:
            raise NotInKernel(WHAT, "file", path) from error
        raise
