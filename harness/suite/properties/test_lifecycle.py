# SPDX-License-Identifier: Apache-2.0
"""Properties A15, F1 and F8: devices that are bound, removed, plugged in and bound again."""

import pytest

from harness.devices.probe import Device, Direction, Probe
from harness.devices.rogue import EduRogue
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, attachments
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import COHERENT, PCI, PLATFORM
from harness.suite.lib.attached import allocator_of, pool_of
from harness.suite.lib.binding import bind, rebind, replace, unbind
from harness.suite.lib.expect import counted, equal, in_pool, require, slots_used
from harness.suite.lib.expect.kernel import OVERLAPS

TURNS = 10


@pytest.fixture
def devices(guest: Guest, probe: Probe) -> tuple[Device, ...]:
    """A platform device that is not dma-coherent, one that is, and a PCI endpoint; on one pool."""
    return tuple(probe.device(name) for name in (PLATFORM, COHERENT, str(EduRogue(guest).bdf)))


def use(device: Device, probe: Probe, page: int) -> None:
    """Leave three mappings and a coherent buffer live, of a page each."""
    buffer = probe.buffer(page)
    for direction in (Direction.TO_DEVICE, Direction.FROM_DEVICE, Direction.BIDIRECTIONAL):
        device.map_single(buffer, direction)
    device.alloc_coherent(page)


def check_restricted(probe: Probe, name: str, pool: Pool, types: KernelTypes) -> None:
    """The device *name* has *pool*, and maps there."""
    equal(pool_of(types, name), pool.name, f"the pool of {name}")
    with probe.device(name).map_single(probe.buffer(1), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, pool)


@pytest.mark.property("A15", "F1")
def test_a_device_bound_again_has_the_same_pool(
    guest: Guest,
    devices: tuple[Device, ...],
    probe: Probe,
    pool: Pool,
    types: KernelTypes,
    counters: PoolCounters,
    page: int,
) -> None:
    """A device that is unbound and bound again has the same pool, and loses no slot."""
    before = allocator_of(types, PLATFORM)
    for device in devices:
        use(device, probe, page)

        rebind(guest, device, TURNS)

        slots_used(counters, 0)
        equal(allocator_of(types, device.name), before, f"io_tlb_mem of {device.name}")
        check_restricted(probe, device.name, pool, types)


@pytest.mark.property("F1")
def test_a_pci_device_removed_and_found_again_has_the_same_pool(
    guest: Guest,
    rogue: EduRogue,
    probe: Probe,
    pool: Pool,
    types: KernelTypes,
    counters: PoolCounters,
    page: int,
) -> None:
    """A PCI device that is removed and found by a rescan inherits the same pool."""
    device, before = probe.device(str(rogue.bdf)), allocator_of(types, PLATFORM)
    use(device, probe, page)

    replace(guest, device, TURNS)

    slots_used(counters, 0)
    equal(allocator_of(types, device.name), before, f"io_tlb_mem of {device.name}")
    check_restricted(probe, device.name, pool, types)


@pytest.mark.property("F1")
@pytest.mark.nightly("a slot takes a second to switch off")
def test_a_pci_device_plugged_in_again_has_the_same_pool(
    guest: Guest,
    probe: Probe,
    pool: Pool,
    types: KernelTypes,
    counters: PoolCounters,
    page: int,
) -> None:
    """Each device plugged into a slot gets the host bridge's pool, and leaves no slot in use."""
    for _ in range(TURNS):
        rogue = EduRogue(guest)
        name = str(rogue.bdf)
        check_restricted(probe, name, pool, types)
        use(probe.device(name), probe, page)

        rogue.detach()

        slots_used(counters, 0)


@pytest.mark.property("F1")
@pytest.mark.finding("attachment-leak", kernels=">=5.15")
def test_rebinding_leaves_no_record_behind(
    guest: Guest, device: Device, types: KernelTypes
) -> None:
    """The kernel records an attached device once, not once for every bind."""
    before = len(attachments(types))

    rebind(guest, device, TURNS)

    counted(len(attachments(types)), before, "records of attached devices")


@pytest.mark.property("F1")
@pytest.mark.finding("attachment-leak", kernels=">=5.15")
@pytest.mark.parametrize("driver", [PCI])
def test_a_device_that_is_gone_is_forgotten(
    guest: Guest, device: Device, types: KernelTypes
) -> None:
    """The kernel keeps no pointer to a device that was removed."""
    address = types.device(device.name).value_()

    guest.agent.write_file(f"/sys/bus/pci/devices/{device.name}/remove", b"1")

    attached = [entry.device for entry in attachments(types)]
    require(address not in attached, f"no record of {address:#x}", f"{attached}")


@pytest.mark.property("F8")
@pytest.mark.property("A15", "F1", control=True)
@pytest.mark.expects_report("pending DMA allocations while released")  # with DMA_API_DEBUG
@pytest.mark.expects_report(OVERLAPS)
def test_a_device_removed_with_live_mappings_leaks_no_more_than_them(
    guest: Guest,
    devices: tuple[Device, ...],
    probe: Probe,
    pool: Pool,
    counters: PoolCounters,
    page: int,
) -> None:
    """Slots that a driver never unmapped stay in use, and no other device gets them."""
    buffer, leaked = probe.buffer(page), set[int]()
    for device in devices:
        leaked |= {device.map_single(buffer, Direction.TO_DEVICE).dma_addr for _ in range(10)}
        device.leak_when_unbound(True)

        unbind(guest, device)
        bind(guest, device)

        slots_used(counters, len(leaked) * page // SLOT)
    for device in devices:
        again = probe.device(device.name)
        other = [again.map_single(buffer, Direction.FROM_DEVICE) for _ in range(10)]
        in_pool(other, pool, page)
        again_given = sorted(leaked & {mapping.dma_addr for mapping in other})
        equal(again_given, [], "slots of leaked mappings that another device got")
        for mapping in other:
            mapping.unmap()
    slots_used(counters, len(leaked) * page // SLOT)


@pytest.mark.property("F8", control=True)
def test_a_device_removed_by_a_tidy_driver_leaks_nothing(
    guest: Guest, devices: tuple[Device, ...], probe: Probe, counters: PoolCounters, page: int
) -> None:
    """A driver that ends its mappings when it is unbound leaves no slot in use."""
    for device in devices:
        use(device, probe, page)
        slots_used(counters, 4 * page // SLOT)

        unbind(guest, device)

        slots_used(counters, 0)
