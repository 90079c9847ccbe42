# SPDX-License-Identifier: Apache-2.0
"""Measure what calls of the DMA API cost on a kernel.

Each call is made on two guests with one CPU: on one that counts instructions, and, if there is a
pool, on one whose accesses to it are seen (meters.py).
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from errno import ENOMEM
from functools import partial

from harness.base.errors import HarnessError
from harness.base.progress import step
from harness.base.space import KIB
from harness.devices.probe import DIRECTIONS, Buffer, Device, Direction, DmaError, Probe
from harness.devices.probe.filling import fill, unmap
from harness.devices.rogue import EduRogue
from harness.jobs.cost.contention import CPUS, contended_mappings, contention_name
from harness.jobs.cost.copied import watch_pools
from harness.jobs.cost.cost import Cost, Subject
from harness.jobs.cost.disk_reads import disk_reads
from harness.jobs.cost.frames import network_frames
from harness.jobs.cost.meters import CALLS, MEMORY_CALLS, CopyMeter, InstructionMeter, Meter
from harness.machine.environment import Environment
from harness.machine.machine import DEFAULT_RAM, KERNEL_SMMU, Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import boot, park
from harness.machine.shape import DEFAULT_SHAPE, NO_POOL, shaped_devicetree
from harness.observe.memory import KnownTypes

SIZES = (64, 512, 2 * KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB)
"""Bytes of mappings, from a descriptor to the largest mapping of a restricted device."""

MEMORY = (4 * KIB, 16 * KIB, 32 * KIB)
"""Bytes of coherent allocations. Without a pool the page allocator keeps no larger ones ready
(PAGE_ALLOC_COSTLY_ORDER), and the number depends on what happens to be free."""

EVERY = (2, 4, 8, 16, 32)
"""How full a pool is for mappings of FULL_SIZE: of as many mappings in a row that fill it, one was
ended, so that a search passes the others before it finds room."""

FULL_SIZE = 4 * KIB

Numbers = Iterator[tuple[Subject, int | None]]

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
            try:
                instructions = dict(_numbers(guest, kind, InstructionMeter()))
            except DmaError as fault:
                raise HarnessError(f"{UNSUPPORTED} ({fault})") from fault
        copied = _copied(environment, kind)
        for subject, count in instructions.items():
            yield Cost(*subject, count, copied=copied(subject))


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


def _copied(environment: Environment, kind: DeviceKind) -> Callable[[Subject], int | None]:
    """The bytes that each call copies: 0 without a pool, None if they cannot be counted."""
    machine = cost_machine(environment, kind, counted=False)
    if not machine.devicetree.pools:
        return lambda _: 0
    with step(f"counting copied bytes: {kind.name}"):
        watched = watch_pools(park(machine))
        if watched is None:
            return lambda _: None
        with closing(watched):
            return dict(_numbers(watched.guest, kind, CopyMeter(watched))).get


def _numbers(guest: Guest, kind: DeviceKind, meter: Meter) -> Numbers:
    """What *meter* counts of all calls for a device of *kind*."""
    probe = Probe(guest.agent)
    device = probe.device(str(EduRogue(guest).bdf))
    for direction in DIRECTIONS:
        for size in SIZES:
            buffer = probe.buffer(size)
            yield from _mapping(meter, device, kind, buffer, direction)
            buffer.free()
    for size in MEMORY:
        counts = _counted(partial(meter.memory, device, size), len(MEMORY_CALLS))
        for call, count in zip(MEMORY_CALLS, counts, strict=True):
            yield (f"{call} coherent", size, kind.name, 0), count
    for pool in guest.machine.devicetree.pools:
        buffer = probe.buffer(FULL_SIZE)
        for full in _ever_emptier(device, buffer, pool.size // FULL_SIZE):
            yield from _mapping(meter, device, kind, buffer, Direction.TO_DEVICE, full)


def _mapping(
    meter: Meter,
    device: Device,
    kind: DeviceKind,
    buffer: Buffer,
    direction: Direction,
    full: int = 0,
) -> Numbers:
    counts = _counted(partial(meter.mapping, device, buffer, direction), len(CALLS))
    for call, count in zip(CALLS, counts, strict=True):
        yield (f"{call} {direction.name}", buffer.size, kind.name, full), count


def _ever_emptier(device: Device, buffer: Buffer, room: int) -> Iterator[int]:
    """Fill a pool with *room* mappings, end ever more of them; yields how full it is each time."""
    held = dict(enumerate(fill(device, buffer, buffer.size, room)))
    for every in sorted(EVERY, reverse=True):
        ended = [held.pop(at) for at in list(held) if at % every == every - 1]
        unmap(device, ended)
        yield 100 - 100 // every
    unmap(device, held.values())


def _counted(measure: Callable[[], tuple[int, ...]], number: int) -> tuple[int | None, ...]:
    """The counts, or as many None if the kernel refuses the call."""
    try:
        return measure()
    except DmaError as fault:
        if fault.errno != ENOMEM:
            raise
        return (None,) * number
