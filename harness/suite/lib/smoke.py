# SPDX-License-Identifier: Apache-2.0
"""A short check of the main properties, for any device of any machine, in one guest."""

from harness.base.address_range import AddressRange
from harness.devices.probe import Byte, Device, Direction, Mapping, Probe, Seed
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.devicetree.lint import Measures, measure
from harness.machine.devicetree.model import RULES, KernelVersion
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import (
    counted,
    equal,
    holds,
    refused,
    same_bytes,
    slots_used,
    within,
)
from harness.suite.lib.filling import fill, places, unmap
from harness.suite.lib.written import CPU, DEVICE

SIZE = 4096
"""Bytes of a mapping."""

LATER = Seed(0x1A7E)


def check_restricted(
    guest: Guest,
    device: Device,
    probe: Probe,
    memory: LiveMemory,
    pool: Pool,
    seen: AddressRange | None = None,
) -> None:
    """The device maps and allocates in its pool only, fills it, and leaves no slot in use.

    At least one slot of the pool can be used. *seen* is the pool as the device sees it, if its
    dma-ranges translate addresses.
    """
    fits = measured(guest, pool)
    counters = PoolCounters(guest.agent, pool.name)
    slots_used(counters, 0)
    bounce(device, probe, memory, pool, min(SIZE, fits.largest_mapping))
    allocate(device, seen or pool, guest.machine.geometry.page, fits.largest_coherent)
    exhaust(guest, device, probe, pool, fits.largest_mapping)
    slots_used(counters, 0)


def measured(guest: Guest, pool: Pool) -> Measures:
    """What fits into *pool* when it is empty."""
    geometry = guest.machine.geometry
    return measure(pool, version_of(guest), geometry.page, geometry.slot_set)


def version_of(guest: Guest) -> KernelVersion:
    """The version of the guest's kernel."""
    return KernelVersion.parse(guest.machine.kernel.release)


def bounce(
    device: Device, probe: Probe, memory: LiveMemory, pool: Pool, size: int = SIZE
) -> Mapping:
    """B1, B3, B5, C1 and C2: map, sync and unmap copy through the pool; returns the mapping."""
    buffer = probe.buffer(size, content=CPU)
    with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
        within([AddressRange(mapping.phys, size)], pool, "a mapping")
        same_bytes(memory, mapping.phys, CPU.content(0, size))
        memory.write(mapping.phys, DEVICE.content(0, size))
        mapping.sync_for_cpu()
        holds(buffer, DEVICE)
        buffer.fill(LATER)
        mapping.sync_for_device()
        same_bytes(memory, mapping.phys, LATER.content(0, size))
        memory.write(mapping.phys, CPU.content(0, size))
    holds(buffer, CPU)
    return mapping


def allocate(device: Device, pool: AddressRange, page: int, largest: int) -> None:
    """D1, D4 and D6: coherent memory is zeroed pool memory, *largest* bytes of it at most."""
    if largest < page:
        refused(device.alloc_coherent, page)
        return
    allocation = device.alloc_coherent(min(2 * page, largest))
    within([AddressRange(allocation.dma_addr, allocation.size)], pool, "an allocation")
    holds(allocation, Byte(0))
    allocation.free()


def exhaust(guest: Guest, device: Device, probe: Probe, pool: Pool, size: int) -> None:
    """B12 and B13: exactly as many mappings of *size* bytes succeed as the pool has room for."""
    geometry = guest.machine.geometry
    on_pages = size >= geometry.page and RULES["page-unaligned"].holds(version_of(guest))
    step = geometry.page if on_pages else SLOT
    room = len(places(pool, size, geometry.slot_set, step))
    mapped = fill(device, probe.buffer(size), size, attempts=room + 3)
    within((AddressRange(one.phys, size) for one in mapped.values()), pool, "mappings")
    counted(len(mapped), room, f"mappings of {size} bytes in the pool")
    unmap(device, mapped)


def check_nothing_fits(device: Device, probe: Probe, page: int) -> None:
    """The device is refused every mapping and allocation, and gets no other memory."""
    buffer = probe.buffer(page)
    refused(device.map_single, buffer, Direction.TO_DEVICE, size=1)
    refused(device.alloc_coherent, page)


def check_unrestricted(device: Device, probe: Probe) -> None:
    """The device gets the buffer's own address."""
    buffer = probe.buffer(SIZE)
    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        equal(mapping.phys, buffer.phys, "the physical address of the mapping")
