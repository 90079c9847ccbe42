# SPDX-License-Identifier: Apache-2.0
"""What is counted of single calls: instructions in the guest, or copied bytes from outside."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from harness.devices.probe import Allocation, Attr, Buffer, Device, Direction, Mapping
from harness.jobs.cost.copied import copied_during
from harness.jobs.double_fetch.watch import Watched

CALLS = ("map", "sync for device", "sync for CPU", "unmap")
MEMORY_CALLS = ("alloc", "free")

TIMES = 2
"""How often copied bytes are counted, and the least counts: an interrupt near the end of a copy may
copy as well, and then some of its bytes count twice (copied_bytes)."""


class Meter(Protocol):
    """Counts something of each call; raises DmaError if the kernel refuses the first."""

    def mapping(self, device: Device, buffer: Buffer, direction: Direction) -> tuple[int, ...]:
        """The numbers of CALLS, for a mapping of *buffer*."""

    def memory(self, device: Device, size: int) -> tuple[int, ...]:
        """The numbers of MEMORY_CALLS, for *size* bytes of coherent memory."""


class InstructionMeter(Meter):
    """Instructions, on a machine whose PMU counts them (Machine.counted).

    The probe reads the counter right before and after a call, without interrupts (freeing coherent
    memory needs them), and takes the least of several times: the number of a call depends on the
    kernel and on what is mapped, on nothing else. DmaError if the PMU does not count.
    """

    def mapping(self, device: Device, buffer: Buffer, direction: Direction) -> tuple[int, ...]:
        """Counted by the probe."""
        return device.cost_of_mapping(buffer, direction, buffer.size)

    def memory(self, device: Device, size: int) -> tuple[int, ...]:
        """Counted by the probe."""
        return device.cost_of_memory(size)


class CopyMeter(Meter):
    """Bytes that the kernel copies, on a guest whose accesses to its pools are seen."""

    def __init__(self, watched: Watched) -> None:
        self._copied = partial(copied_during, watched)

    def mapping(self, device: Device, buffer: Buffer, direction: Direction) -> tuple[int, ...]:
        """The calls of a driver, one by one."""

        def once() -> tuple[int, ...]:
            made: list[Mapping] = []
            attrs = Attr.NO_WARN
            mapped = self._copied(
                lambda: made.append(device.map_single(buffer, direction, attrs=attrs))
            )
            (mapping,) = made
            calls = (mapping.sync_for_device, mapping.sync_for_cpu, mapping.unmap)
            return mapped, *map(self._copied, calls)

        return _least(once)

    def memory(self, device: Device, size: int) -> tuple[int, ...]:
        """The calls of a driver, one by one."""

        def once() -> tuple[int, ...]:
            made: list[Allocation] = []
            allocated = self._copied(lambda: made.append(device.alloc_coherent(size)))
            (allocation,) = made
            return allocated, self._copied(allocation.free)

        return _least(once)


def _least(once: Callable[[], tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(map(min, *(once() for _ in range(TIMES))))
