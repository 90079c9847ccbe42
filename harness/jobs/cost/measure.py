# SPDX-License-Identifier: Apache-2.0
"""Measure what calls of the DMA API cost on a kernel.

The guest has one CPU, and its PMU counts instructions (Machine.counted). The probe reads the
counter right before and after a call, without interrupts, and takes the least of several times: the
number of a call depends on the kernel and on what is mapped, on nothing else.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from errno import ENOMEM
from functools import partial

from harness.base.errors import HarnessError
from harness.base.progress import step
from harness.base.space import KIB
from harness.devices.probe import DIRECTIONS, Device, Direction, DmaError, Probe
from harness.devices.rogue import EduRogue
from harness.jobs.cost.cost import Cost
from harness.machine.environment import Environment
from harness.machine.machine import DEFAULT_RAM, KERNEL_SMMU, Machine
from harness.machine.qemu.snapshot import boot
from harness.machine.shape import DEFAULT_SHAPE, NO_POOL, shaped_devicetree

SIZES = (64, 512, 2 * KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB)
"""Bytes of mappings, from a descriptor to the largest mapping of a restricted device."""

MEMORY = (4 * KIB, 16 * KIB, 32 * KIB)
"""Bytes of coherent allocations. Without a pool the page allocator serves larger ones from what
happens to be free, and the number is not the same each time (PAGE_ALLOC_COSTLY_ORDER)."""

FULL = (50, 90)
"""Per cent of the pool that is in use, for mappings of FULL_SIZE."""

FULL_SIZE = 4 * KIB

CALLS = ("map", "sync for device", "sync for CPU", "unmap")
MEMORY_CALLS = ("alloc", "free")

UNSUPPORTED = "this QEMU counts no instructions: its PMU lacks the event INST_RETIRED"


@dataclass(frozen=True)
class DeviceKind:
    """A PCI endpoint on a machine of *shape*, behind the kernel's *iommu* or not."""

    name: str
    shape: str
    iommu: bool = False


KINDS = (
    DeviceKind("pool", DEFAULT_SHAPE),
    DeviceKind("no pool", NO_POOL),
    DeviceKind("IOMMU", NO_POOL, iommu=True),
)


def measure_costs(
    environment: Environment, kinds: tuple[DeviceKind, ...] = KINDS
) -> Iterator[Cost]:
    """The costs of all calls for each of *kinds*; raises HarnessError if QEMU cannot count."""
    for kind in kinds:
        with (
            step(f"counting instructions: {kind.name}"),
            boot(_machine(environment, kind)) as guest,
        ):
            probe = Probe(guest.agent)
            device = probe.device(str(EduRogue(guest).bdf))
            try:
                yield from _costs(probe, device, kind)
                for pool in guest.machine.devicetree.pools:
                    for full in FULL:
                        yield from _mapping_when_full(probe, device, kind, pool.size, full)
            except DmaError as fault:
                raise HarnessError(f"{UNSUPPORTED} ({fault})") from fault


def _machine(environment: Environment, kind: DeviceKind) -> Machine:
    board = KERNEL_SMMU if kind.iommu else ""
    tree = shaped_devicetree(environment.qemu, kind.shape, ram_size=DEFAULT_RAM, board=board)
    parts = (environment.qemu, environment.kernel, environment.initramfs, tree)
    return Machine(*parts, iommu=kind.iommu, counted=True)


def _costs(probe: Probe, device: Device, kind: DeviceKind) -> Iterator[Cost]:
    for direction in DIRECTIONS:
        for size in SIZES:
            yield from _mapping(probe, device, kind, direction, size)
    for size in MEMORY:
        counts = _counted(partial(device.cost_of_memory, size), len(MEMORY_CALLS))
        for call, count in zip(MEMORY_CALLS, counts, strict=True):
            yield Cost(f"{call} coherent", size, kind.name, 0, count)


def _mapping(
    probe: Probe, device: Device, kind: DeviceKind, direction: Direction, size: int, full: int = 0
) -> Iterator[Cost]:
    buffer = probe.buffer(size)
    counts = _counted(partial(device.cost_of_mapping, buffer, direction, size), len(CALLS))
    buffer.free()
    for call, count in zip(CALLS, counts, strict=True):
        yield Cost(f"{call} {direction.name}", size, kind.name, full, count)


def _mapping_when_full(
    probe: Probe, device: Device, kind: DeviceKind, pool: int, full: int
) -> Iterator[Cost]:
    """Mappings of FULL_SIZE in a pool of *pool* bytes, of which *full* per cent are in use."""
    with ExitStack() as held:
        buffer = probe.buffer(FULL_SIZE)
        for _ in range(pool * full // 100 // FULL_SIZE):
            held.enter_context(device.map_single(buffer, Direction.TO_DEVICE))
        yield from _mapping(probe, device, kind, Direction.TO_DEVICE, FULL_SIZE, full)


def _counted(measure: Callable[[], tuple[int, ...]], number: int) -> tuple[int | None, ...]:
    """The counts, or as many None if the kernel refuses the call."""
    try:
        return measure()
    except DmaError as fault:
        if fault.errno != ENOMEM:
            raise
        return (None,) * number
