# SPDX-License-Identifier: Apache-2.0
"""Property B17 and the escape G4: DMA to the memory of another PCI device (P2PDMA)."""

import pytest

from harness.devices.probe import Buffer, BufferKind, Device, Direction, Probe, Slice
from harness.devices.rogue import plug_peer_memory
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.plugin.counters import PoolCounters
from harness.suite.conftest import PCI, PLATFORM
from harness.suite.lib.expect import not_bounced, refused, slots_used

pytestmark = [
    pytest.mark.needs("the peer", qemu="ivshmem-plain"),
    pytest.mark.needs(
        "the BARs of the virt machine lie beyond a linear map of 38 bits",
        config="ARM64_VA_BITS_39=n",
    ),
]


@pytest.fixture
def peer(guest: Guest) -> str:
    """Plug in a device that has memory of its own; returns its name."""
    return plug_peer_memory(guest)


@pytest.fixture
def peer_page(peer: str, probe: Probe, page: int) -> Buffer:
    """A page of the peer's memory, after *peer* is plugged in."""
    assert peer
    return probe.buffer(page, BufferKind.PEER)


@pytest.mark.property("B17")
@pytest.mark.finding(
    "peer-page-bounced", kernels=">=6.12", change="map-phys", config="DMA_API_DEBUG=n"
)
@pytest.mark.parametrize("driver", [PLATFORM, PCI])
def test_a_page_of_another_device_is_refused(
    device: Device, peer_page: Buffer, counters: PoolCounters
) -> None:
    """dma_map_page() of P2PDMA memory fails: the kernel neither maps nor bounces it."""
    refused(device.map_page, peer_page, Direction.TO_DEVICE)

    slots_used(counters, 0)


@pytest.mark.property("B17")
def test_a_refused_entry_unwinds_the_scatterlist(
    device: Device, probe: Probe, peer_page: Buffer, counters: PoolCounters
) -> None:
    """A scatterlist with P2PDMA memory fails as a whole, and keeps no slot in use."""
    ordinary = [Slice(probe.buffer(1)) for _ in range(3)]

    for before in ([], ordinary):
        refused(device.map_sg, [*before, Slice(peer_page)], Direction.TO_DEVICE)

    slots_used(counters, 0)


@pytest.mark.property("B17", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_memory_of_another_device_is_mapped(
    device: Device, peer_page: Buffer
) -> None:
    """An unrestricted device gets the address of the other device's memory."""
    with device.map_page(peer_page, Direction.TO_DEVICE) as mapping:
        not_bounced(mapping, peer_page)


@pytest.mark.escape("G4")
def test_a_bus_address_of_p2pdma_passes_a_pool_by(
    probe: Probe, peer: str, peer_page: Buffer, counters: PoolCounters
) -> None:
    """Where PCI routes between two functions, a scatterlist has plain bus addresses."""
    device = probe.device(peer)

    with device.map_sg([Slice(peer_page)], Direction.TO_DEVICE) as mapping:
        (segment,) = mapping.segments
        not_bounced(segment, peer_page)
        slots_used(counters, 0)
