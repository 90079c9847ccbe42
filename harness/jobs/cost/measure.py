# SPDX-License-Identifier: Apache-2.0
"""Measure what calls of the DMA API cost on a kernel.

The guest has one CPU, and its PMU counts instructions (Machine.counted). The probe reads the
counter right before and after a call, without interrupts, and takes the least of several times: the
number of a call depends on the kernel and on what is mapped, on nothing else.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from errno import ENOMEM
from functools import partial

from harness.base.errors import HarnessError
from harness.base.progress import step
from harness.base.space import KIB
from harness.devices.probe import DIRECTIONS, Device, Direction, DmaError, Probe
from harness.devices.probe.filling import fill, unmap
from harness.devices.rogue import EduRogue
from harness.jobs.cost.contention import CPUS, contended_mappings, contention_name
from harness.jobs.cost.cost import Cost
from harness.jobs.cost.disk_reads import disk_reads
from harness.jobs.cost.frames import network_frames
from harness.machine.environment import Environment
from harness.machine.machine import DEFAULT_RAM, KERNEL_SMMU, Machine
from harness.machine.qemu.snapshot import boot
from harness.machine.shape import DEFAULT_SHAPE, NO_POOL, shaped_devicetree
from harness.observe.memory import KnownTypes

SIZES = (64, 512, 2 * KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB)
"""Bytes of mappings, from a descriptor to the largest mapping of a restricted device."""

MEMORY = (4 * KIB, 16 * KIB, 32 * KIB)
"""Bytes of coherent allocations. Without a pool the page allocator serves larger ones from what
happens to be free, and the number is not the same each time (PAGE_ALLOC_COSTLY_ORDER)."""

EVERY = (2, 4, 8, 16, 32)
"""How full a pool is for mappings of FULL_SIZE: of as many mappings in a row that fill it, one was
ended, so that a search passes the others before it finds room."""

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


@dataclass(frozen=True)
class Work:
    """Work that is measured on each kind of device: *measure* gets machine, kind and types."""

    name: str
    measure: Callable[[Machine, str, KnownTypes], Iterable[Cost]]
    cpus: int = 1


WORKS = (
    Work("reading a disk", lambda *given: (disk_reads(*given),)),
    Work("a network frame", lambda *given: (network_frames(*given),)),
    *(
        Work(
            contention_name(cpus),
            lambda machine, kind, _: (contended_mappings(machine, kind),),
            cpus,
        )
        for cpus in CPUS
    ),
)


def measure_costs(
    environment: Environment, kinds: tuple[DeviceKind, ...] = KINDS
) -> Iterator[Cost]:
    """The costs of all calls for each of *kinds*; raises HarnessError if QEMU cannot count."""
    for kind in kinds:
        with (
            step(f"counting instructions: {kind.name}"),
            boot(cost_machine(environment, kind)) as guest,
        ):
            probe = Probe(guest.agent)
            device = probe.device(str(EduRogue(guest).bdf))
            try:
                yield from _costs(probe, device, kind)
                for pool in guest.machine.devicetree.pools:
                    yield from _mapping_when_full(probe, device, kind, pool.size)
            except DmaError as fault:
                raise HarnessError(f"{UNSUPPORTED} ({fault})") from fault


def measure_work(
    environment: Environment, work: Work, kinds: tuple[DeviceKind, ...] = KINDS
) -> Iterator[Cost]:
    """The costs of *work*, which differ from time to time, as medians.

    They are counted from outside. Raises HostError if QEMU takes no plugins,
    NoDebugInformation and ConfigError for a kernel without what the work needs.
    """
    known = KnownTypes()
    for kind in kinds:
        with step(f"{work.name}: {kind.name}"):
            machine = cost_machine(environment, kind, counted=False, cpus=work.cpus)
            yield from work.measure(machine, kind.name, known)


def cost_machine(
    environment: Environment, kind: DeviceKind, counted: bool = True, cpus: int = 1
) -> Machine:
    """The machine for devices of *kind*; *counted*: whether its PMU counts instructions."""
    board = KERNEL_SMMU if kind.iommu else ""
    tree = shaped_devicetree(
        environment.qemu, kind.shape, ram_size=DEFAULT_RAM, cpus=cpus, board=board
    )
    parts = (environment.qemu, environment.kernel, environment.initramfs, tree)
    return Machine(*parts, cpus=cpus, iommu=kind.iommu, counted=counted)


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


def _mapping_when_full(probe: Probe, device: Device, kind: DeviceKind, pool: int) -> Iterator[Cost]:
    """Mappings of FULL_SIZE in a pool of *pool* bytes, of which ever less is in use."""
    buffer = probe.buffer(FULL_SIZE)
    held = dict(enumerate(fill(device, buffer, FULL_SIZE, pool // FULL_SIZE)))
    for every in sorted(EVERY, reverse=True):
        ended = [held.pop(at) for at in list(held) if at % every == every - 1]
        unmap(device, ended)
        full = 100 - 100 // every
        yield from _mapping(probe, device, kind, Direction.TO_DEVICE, FULL_SIZE, full)
    unmap(device, held.values())


def _counted(measure: Callable[[], tuple[int, ...]], number: int) -> tuple[int | None, ...]:
    """The counts, or as many None if the kernel refuses the call."""
    try:
        return measure()
    except DmaError as fault:
        if fault.errno != ENOMEM:
            raise
        return (None,) * number
