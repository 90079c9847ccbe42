# SPDX-License-Identifier: Apache-2.0
"""Property B19: the kernel's trace events tell of every bounce, and of every address given."""

import re
from dataclasses import dataclass

import pytest

from harness.devices.probe import Buffer, Device, Direction, Probe, Slice
from harness.machine.devicetree import Pool
from harness.machine.qemu.agent import Agent
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.suite.conftest import DRIVERS_BY_NIGHT

PAGE = 4096
TRACING = "/sys/kernel/tracing"

NEW_EVENTS = ("6.12", "038eb433dc14")
"""Since when the DMA API has trace events of its own."""


@dataclass(frozen=True)
class Trace:
    """The guest's trace buffer; *system* is a group of events (include/trace/events/)."""

    agent: Agent

    def follow(self, system: str) -> None:
        """Record all events of *system* from now on."""
        self.agent.write_file(f"{TRACING}/events/{system}/enable", b"1")

    def events(self, name: str) -> list[str]:
        """What the events whose name *name* matches said, the oldest first."""
        lines = self.agent.read_file(f"{TRACING}/trace").decode().splitlines()
        found = (re.search(rf": {name}: (.*)", line) for line in lines)
        return [event[1] for event in found if event]


@pytest.fixture
def trace(guest: Guest) -> Trace:
    """The trace buffer, empty."""
    return Trace(guest.agent)


@pytest.fixture
def buffer(probe: Probe) -> Buffer:
    """Four pages."""
    return probe.buffer(4 * PAGE)


def field(event: str, name: str) -> int:
    """A hexadecimal field of an event, the first of an array."""
    found = re.search(rf"\b{name}=(?:\{{)?(?:0x)?([0-9a-f]+)", event)
    assert found, event
    return int(found[1], 16)


@pytest.mark.property("B19")
@pytest.mark.parametrize("driver", DRIVERS_BY_NIGHT)
def test_every_bounce_is_traced(device: Device, buffer: Buffer, trace: Trace) -> None:
    """swiotlb_bounced names the device, the buffer's address and size, and says FORCE."""
    trace.follow("swiotlb")

    device.map_single(buffer, Direction.TO_DEVICE, offset=100, size=77).unmap()
    device.map_page(buffer, Direction.FROM_DEVICE, size=PAGE).unmap()
    device.map_sg([Slice(buffer, n * PAGE, 5) for n in range(4)], Direction.TO_DEVICE).unmap()

    wanted = [(100, 77), (0, PAGE), *((n * PAGE, 5) for n in range(4))]
    mask = (1 << 64) - 1
    assert trace.events("swiotlb_bounced") == [
        f"dev_name: {device.name} dma_mask={mask:x} dev_addr={buffer.phys + at:x} size={size} FORCE"
        for at, size in wanted
    ]


@pytest.mark.property("B19", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_no_bounce_is_traced(device: Device, buffer: Buffer, trace: Trace) -> None:
    """An unrestricted device's mappings leave no swiotlb_bounced event."""
    trace.follow("swiotlb")

    device.map_single(buffer, Direction.TO_DEVICE).unmap()

    assert trace.events("swiotlb_bounced") == []


@pytest.mark.property("B19")
@pytest.mark.since(*NEW_EVENTS)
@pytest.mark.parametrize("driver", DRIVERS_BY_NIGHT)
def test_every_address_that_is_given_is_traced(
    device: Device, buffer: Buffer, pool: Pool, trace: Trace
) -> None:
    """The events of map and alloc name the addresses that the driver got, all in the pool."""
    trace.follow("dma")

    single = device.map_single(buffer, Direction.TO_DEVICE)
    scattered = device.map_sg([Slice(buffer)], Direction.TO_DEVICE)
    coherent = device.alloc_coherent(PAGE)

    (mapped,) = trace.events("dma_map_(?:page|phys)")
    (listed,) = trace.events("dma_map_sg")
    (allocated,) = trace.events("dma_alloc")
    assert field(mapped, "dma_addr") == single.dma_addr
    assert field(mapped, "phys_addr") == buffer.phys
    assert field(listed, "dma_addrs") == scattered.segments[0].dma_addr
    assert field(allocated, "dma_addr") == coherent.dma_addr
    for event, name in ((mapped, "dma_addr"), (listed, "dma_addrs"), (allocated, "dma_addr")):
        assert event.startswith(device.name)
        assert pool.contains(field(event, name))


@pytest.mark.property("B19", control=True)
@pytest.mark.since(*NEW_EVENTS)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_the_events_show_the_buffer_itself(
    device: Device, buffer: Buffer, trace: Trace
) -> None:
    """For an unrestricted device the traced DMA address is the buffer's own."""
    trace.follow("dma")

    device.map_single(buffer, Direction.TO_DEVICE).unmap()

    (mapped,) = trace.events("dma_map_(?:page|phys)")
    assert field(mapped, "dma_addr") == field(mapped, "phys_addr") == buffer.phys
