# SPDX-License-Identifier: Apache-2.0
"""A hostile device without a fence (controls), and the driver bugs that a pool does contain."""

import secrets

import pytest

from harness.devices.probe import Direction, Probe, Seed
from harness.devices.rogue import EduRogue
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import Atlas, KernelTypes, LiveMemory, MemoryUse, find
from harness.suite.lib.expect import holds, unchanged
from harness.suite.lib.standstill import still

PAGE = 4096
CPU, DEVICE = Seed(0xC9), Seed(0xDE)

WITH_AND_WITHOUT_POOL = pytest.mark.parametrize("shape", ["pool-shared", NO_POOL])


@pytest.mark.property("FENCE", control=True)
@WITH_AND_WITHOUT_POOL
def test_without_a_fence_a_rogue_reads_a_secret(
    guest: Guest, rogue: EduRogue, memory: LiveMemory
) -> None:
    """A hostile device reads a file's content out of the kernel's memory, pool or no pool."""
    secret = secrets.token_bytes(32)
    guest.agent.write_file("/tmp/secret", secret)
    places = list(find(memory, secret))

    stolen = [rogue.read(place, len(secret)) for place in places]

    assert places
    assert stolen == [secret] * len(places)


@pytest.mark.property("FENCE", control=True)
@WITH_AND_WITHOUT_POOL
def test_without_a_fence_a_rogue_overwrites_the_release_string(
    guest: Guest, rogue: EduRogue, types: KernelTypes
) -> None:
    """A hostile device rewrites kernel data, and the guest itself says so."""
    address = types.program["init_uts_ns"].name.release.address_
    assert address is not None

    rogue.write(types.image.to_phys(address), b"PWNED\0")

    assert guest.agent.run("uname -r").text == "PWNED\n"


@pytest.mark.property("FENCE", control=True)
def test_without_a_fence_a_forged_msi_writes_at_once(
    rogue: EduRogue, memory: LiveMemory, types: KernelTypes
) -> None:
    """A device's own MSI, aimed at kernel data, is a write of four bytes."""
    assert written_by_msi(rogue, memory, types) == b"AA\0\0"


@pytest.mark.escape("G5")
def test_a_forged_msi_passes_a_pool_by(
    rogue: EduRogue, memory: LiveMemory, types: KernelTypes
) -> None:
    """A device with a pool writes outside of it by an MSI, for which no driver mapped anything."""
    assert written_by_msi(rogue, memory, types) == b"AA\0\0"


def written_by_msi(rogue: EduRogue, memory: LiveMemory, types: KernelTypes) -> bytes:
    """Forge an MSI with 0x4141 to the kernel's release string; the four bytes there afterwards."""
    address = types.program["init_uts_ns"].name.release.address_
    assert address is not None
    place = types.image.to_phys(address) & ~3
    rogue.forge_msi(place, 0x4141)
    return memory.read(place, 4)


@pytest.mark.property("FENCE", control=True)
def test_a_rogue_without_bus_mastering_reaches_nothing(rogue: EduRogue, probe: Probe) -> None:
    """With the bus master bit off the same device reads and writes no byte."""
    buffer = probe.buffer(PAGE)
    buffer.fill(CPU)
    rogue.set_bus_master(False)

    rogue.write(buffer.phys, DEVICE.content(0, 64))
    unchanged(buffer, CPU)
    rogue.set_bus_master(True)
    rogue.write(buffer.phys, DEVICE.content(0, 64))
    holds(buffer, DEVICE, 0, 64)


@pytest.mark.property("B4")
def test_what_a_real_device_writes_reaches_its_driver(probe: Probe, rogue: EduRogue) -> None:
    """A device that does DMA to the address it was given works through the pool."""
    device = probe.device(str(rogue.bdf))
    buffer = probe.buffer(PAGE)
    buffer.fill(CPU)

    with device.map_single(buffer, Direction.FROM_DEVICE) as mapping:
        rogue.write(mapping.dma_addr, DEVICE.content(0, 100))

    holds(buffer, DEVICE, 0, 100)
    unchanged(buffer, CPU, 100)


@pytest.mark.property("B5")
def test_dma_after_unmap_does_not_reach_the_buffer(probe: Probe, rogue: EduRogue) -> None:
    """A device that goes on writing after unmap hits the pool, not the driver's memory."""
    assert late_write(probe, rogue) == CPU.content(0, PAGE)


@pytest.mark.property("B5", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_dma_after_unmap_corrupts_the_buffer(probe: Probe, rogue: EduRogue) -> None:
    """The same late write overwrites memory that the driver has long taken back."""
    assert late_write(probe, rogue).startswith(DEVICE.content(0, 100))


def late_write(probe: Probe, rogue: EduRogue) -> bytes:
    """Map, unmap, reuse the buffer, let the device write to the old address; the buffer then."""
    device = probe.device(str(rogue.bdf))
    buffer = probe.buffer(PAGE)
    mapping = device.map_single(buffer, Direction.FROM_DEVICE)
    mapping.unmap()
    buffer.fill(CPU)
    rogue.write(mapping.dma_addr, DEVICE.content(0, 100))
    return buffer.read()


@pytest.mark.property("B3")
def test_a_search_of_all_memory_says_where_a_payload_is(
    guest: Guest, probe: Probe, rogue: EduRogue, types: KernelTypes
) -> None:
    """A mapped payload lies in the CPU's buffer and in the pool, and nowhere else."""
    device = probe.device(str(rogue.bdf))
    payload = secrets.token_bytes(64)
    buffer = probe.buffer(PAGE)
    buffer.write(payload)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping, still(guest):
        hits = Atlas(types).search(payload[:32]).hits

    places = {hit.phys: hit.use for hit in hits}
    assert places[mapping.dma_addr] is MemoryUse.POOL
    assert buffer.phys in places
    assert [phys for phys, region in places.items() if region is MemoryUse.POOL] == [
        mapping.dma_addr
    ]
