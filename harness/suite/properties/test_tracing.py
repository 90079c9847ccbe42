# SPDX-License-Identifier: Apache-2.0
"""Property B19: trace events show each bounce, and each address that the DMA API returned."""

import re
from dataclasses import dataclass

import pytest

from harness.devices.probe import Buffer, Device, Direction, Probe, Slice
from harness.kernel import Kernel
from harness.kernel.changes import has_change
from harness.machine.devicetree import Pool
from harness.machine.qemu.agent import Agent
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.suite.conftest import MOSTLY_NIGHTLY
from harness.suite.lib.expect import equal, in_pool, require

TRACING = "/sys/kernel/tracing"

NEW_EVENTS = pytest.mark.needs("the trace events of the DMA API are recorded", change="dma-trace")


@dataclass(frozen=True)
class Trace:
    """The guest's trace buffer; *system* is a group of events (include/trace/events/)."""

    agent: Agent
    kernel: Kernel

    def follow(self, system: str) -> None:
        """Record all events of *system* from now on."""
        self.agent.write_file(f"{TRACING}/events/{system}/enable", b"1")

    def events(self, name: str) -> list[str]:
        """The text of each event whose name the pattern *name* matches, oldest first."""
        lines = self.agent.read_file(f"{TRACING}/trace").decode().splitlines()
        found = (re.search(rf": {name}: (.*)", line) for line in lines)
        return [event[1] for event in found if event]


@pytest.fixture
def trace(guest: Guest) -> Trace:
    """The trace buffer, empty."""
    return Trace(guest.agent, guest.machine.kernel)


@pytest.fixture
def buffer(probe: Probe, page: int) -> Buffer:
    """Four pages."""
    return probe.buffer(4 * page)


def of_single(trace: Trace, verb: str) -> str:
    """The event of dma_map_single() or dma_unmap_single(): by page, or since 6.18 by address."""
    return f"dma_{verb}_{'phys' if has_change(trace.kernel, 'map-phys') else 'page'}"


def field(event: str, name: str) -> int:
    """A hexadecimal field of an event; of an array, the first element."""
    found = re.search(rf"\b{name}=(?:\{{)?(?:0x)?([0-9a-f]+)", event)
    require(found, f"an event with the field {name}", event)
    return int(found[1], 16) if found else 0


def one_event(trace: Trace, name: str) -> str:
    """The only event whose name the pattern *name* matches."""
    events = trace.events(name)
    equal(len(events), 1, f"events {name}")
    return events[0]


@pytest.mark.property("B19")
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_every_bounce_is_traced(device: Device, buffer: Buffer, trace: Trace, page: int) -> None:
    """swiotlb_bounced shows the device, the buffer's address and size, and FORCE."""
    trace.follow("swiotlb")

    device.map_single(buffer, Direction.TO_DEVICE, offset=100, size=77).unmap()
    device.map_page(buffer, Direction.FROM_DEVICE, size=page).unmap()
    device.map_sg([Slice(buffer, n * page, 5) for n in range(4)], Direction.TO_DEVICE).unmap()

    wanted = [(100, 77), (0, page), *((n * page, 5) for n in range(4))]
    mask = (1 << 64) - 1
    expected = [
        f"dev_name: {device.name} dma_mask={mask:x} dev_addr={buffer.phys + at:x} size={size} FORCE"
        for at, size in wanted
    ]
    equal(trace.events("swiotlb_bounced"), expected, "events swiotlb_bounced")


@pytest.mark.property("B19", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_no_bounce_is_traced(device: Device, buffer: Buffer, trace: Trace) -> None:
    """Mappings of an unrestricted device cause no swiotlb_bounced event."""
    trace.follow("swiotlb")

    device.map_single(buffer, Direction.TO_DEVICE).unmap()

    equal(trace.events("swiotlb_bounced"), [], "events swiotlb_bounced")


@pytest.mark.property("B19")
@NEW_EVENTS
@pytest.mark.parametrize("driver", MOSTLY_NIGHTLY)
def test_every_address_that_is_given_is_traced(
    device: Device, buffer: Buffer, pool: Pool, trace: Trace, page: int
) -> None:
    """The events of map and alloc show the addresses that the driver got, all in the pool."""
    trace.follow("dma")

    single = device.map_single(buffer, Direction.TO_DEVICE)
    scattered = device.map_sg([Slice(buffer)], Direction.TO_DEVICE)
    coherent = device.alloc_coherent(page)

    mapped = one_event(trace, of_single(trace, "map"))
    equal(field(mapped, "phys_addr"), buffer.phys, "phys_addr of dma_map")
    for event, name, given in (
        (mapped, "dma_addr", single),
        (one_event(trace, "dma_map_sg"), "dma_addrs", scattered.segments[0]),
        (one_event(trace, "dma_alloc"), "dma_addr", coherent),
    ):
        require(event.startswith(device.name), f"an event of {device.name}", event)
        equal(field(event, name), given.dma_addr, f"{name} of the event: {event}")
        in_pool(given, pool)


@pytest.mark.property("B19", control=True)
@NEW_EVENTS
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_the_events_show_the_buffer_itself(
    device: Device, buffer: Buffer, trace: Trace
) -> None:
    """For an unrestricted device the event's DMA address is the buffer's own."""
    trace.follow("dma")

    device.map_single(buffer, Direction.TO_DEVICE).unmap()

    mapped = one_event(trace, of_single(trace, "map"))
    one_event(trace, of_single(trace, "unmap"))
    for name in ("dma_addr", "phys_addr"):
        equal(field(mapped, name), buffer.phys, f"{name} of dma_map")
