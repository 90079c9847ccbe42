# SPDX-License-Identifier: Apache-2.0
"""A short check of the main properties, for any device of any machine, in one guest."""

from collections.abc import Iterator

from harness.base.address_range import AddressRange
from harness.devices.probe import Bus, Byte, Device, Direction, Probe, Seed
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.lib.expect import counted, equal, holds, in_pool, same_bytes, slots_used, within
from harness.suite.lib.filling import fill, places, unmap

HOST_BRIDGE = "/pcie@10000000"

SIZE = 4096
"""Bytes of a mapping."""

CPU, DEVICE, LATER = Seed(0xC9), Seed(0xDE), Seed(0x1A7E)


def plug_everywhere(guest: Guest) -> None:
    """Plug a device into every root port, if the machine has a pool on its PCI bus."""
    if any(user.startswith(HOST_BRIDGE) for pool in guest.pools() for user in pool.users):
        for port in range(guest.machine.ports):
            EduRogue(guest, port)


def expected_pools(guest: Guest, probe: Probe) -> Iterator[tuple[Device, Pool | None]]:
    """Each device of the probe, and its pool by the devicetree.

    A device whose node has memory regions does not inherit a pool; see test_inheritance.py.
    """
    pools = {user: pool for pool in reversed(guest.pools()) for user in pool.users}
    for device in probe.devices():
        inherits = device.bus is Bus.PCI and not device.of_path
        yield device, pools.get(HOST_BRIDGE if inherits else device.of_path)


def check_restricted(
    guest: Guest, device: Device, probe: Probe, memory: LiveMemory, pool: Pool
) -> None:
    """The device maps and allocates in its pool only, fills it, and leaves no slot in use."""
    counters = PoolCounters(guest.agent, pool.name)
    slots_used(counters, 0)
    bounce(device, probe, memory, pool)
    allocate(device, pool, guest.machine.geometry.page)
    exhaust(device, probe, pool, guest.machine.geometry.slot_set)
    slots_used(counters, 0)


def bounce(device: Device, probe: Probe, memory: LiveMemory, pool: Pool) -> None:
    """B1, B3, B5, C1 and C2: map, sync and unmap copy through the pool."""
    buffer = probe.buffer(SIZE)
    buffer.fill(CPU)
    with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
        within([AddressRange(mapping.phys, SIZE)], pool, "a mapping")
        same_bytes(memory, mapping.phys, CPU.content(0, SIZE))
        memory.write(mapping.phys, DEVICE.content(0, SIZE))
        mapping.sync_for_cpu()
        holds(buffer, DEVICE)
        buffer.fill(LATER)
        mapping.sync_for_device()
        same_bytes(memory, mapping.phys, LATER.content(0, SIZE))
        memory.write(mapping.phys, CPU.content(0, SIZE))
    holds(buffer, CPU)


def allocate(device: Device, pool: Pool, page: int) -> None:
    """D1 and D6: coherent memory is zeroed pool memory."""
    allocation = device.alloc_coherent(2 * page)
    in_pool(allocation, pool)
    holds(allocation, Byte(0))
    allocation.free()


def exhaust(device: Device, probe: Probe, pool: Pool, slot_set: int) -> None:
    """B12 and B13: exactly as many of the largest mappings succeed as the pool has room for."""
    room = len(places(pool, slot_set, slot_set))
    mapped = fill(device, probe.buffer(slot_set), slot_set, attempts=room + 3)
    within((AddressRange(one.phys, slot_set) for one in mapped.values()), pool, "mappings")
    counted(len(mapped), room, "mappings of a slot set in the pool")
    unmap(device, mapped)


def check_unrestricted(device: Device, probe: Probe) -> None:
    """The device gets the buffer's own address."""
    buffer = probe.buffer(SIZE)
    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        equal(mapping.phys, buffer.phys, "the physical address of the mapping")
