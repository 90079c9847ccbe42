# SPDX-License-Identifier: Apache-2.0
"""Properties B3 to B5: driver bugs that a pool contains; and a rogue without a fence (controls)."""

import secrets

import pytest

from harness.devices.probe import Direction, Probe
from harness.devices.rogue import EduRogue
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.observe.memory import Atlas, KernelTypes, LiveMemory, MemoryUse, find
from harness.suite.lib.expect import equal, holds, require, unchanged
from harness.suite.lib.kernel_data import release_string
from harness.suite.lib.paused import paused
from harness.suite.lib.written import CPU, DEVICE

SIZE = 4096
"""Bytes of a buffer."""

LATE = "A device wrote into the driver's buffer after unmap."

WITH_AND_WITHOUT_POOL = pytest.mark.parametrize("shape", ["pool-shared", NO_POOL])


@pytest.mark.property("FENCE", control=True)
@WITH_AND_WITHOUT_POOL
def test_without_a_fence_a_rogue_reads_a_secret(
    guest: Guest, rogue: EduRogue, memory: LiveMemory
) -> None:
    """Without a fence a hostile device reads a file from kernel memory, with or without a pool."""
    secret = secrets.token_bytes(32)
    guest.agent.write_file("/tmp/secret", secret)
    places = list(find(memory, secret))

    stolen = [rogue.read(place, len(secret)) for place in places]

    require(places, "the file's content in memory", "it is not there")
    equal(stolen, [secret] * len(places), "what the device read")


@pytest.mark.property("FENCE", control=True)
@WITH_AND_WITHOUT_POOL
def test_without_a_fence_a_rogue_overwrites_the_release_string(
    guest: Guest, rogue: EduRogue, types: KernelTypes
) -> None:
    """Without a fence a hostile device overwrites kernel data, and uname(2) shows it."""
    rogue.write(release_string(types), b"PWNED\0")

    equal(guest.agent.run("uname -r").text, "PWNED\n", "uname -r")


@pytest.mark.property("FENCE", control=True)
def test_without_a_fence_a_forged_msi_writes_at_once(
    rogue: EduRogue, memory: LiveMemory, types: KernelTypes
) -> None:
    """A device's MSI to the address of kernel data writes four bytes there."""
    equal(written_by_msi(rogue, memory, types), b"AA\0\0", "the release string")


@pytest.mark.escape("G5")
def test_a_forged_msi_passes_a_pool_by(
    rogue: EduRogue, memory: LiveMemory, types: KernelTypes
) -> None:
    """A device with a pool writes outside the pool by an MSI, which needs no mapping."""
    equal(written_by_msi(rogue, memory, types), b"AA\0\0", "the release string")


def written_by_msi(rogue: EduRogue, memory: LiveMemory, types: KernelTypes) -> bytes:
    """Forge an MSI of 0x4141 to the kernel's release string; returns its first four bytes."""
    place = release_string(types) & ~3
    rogue.forge_msi(place, 0x4141)
    return memory.read(place, 4)


@pytest.mark.property("FENCE", control=True)
def test_a_rogue_without_bus_mastering_reaches_nothing(rogue: EduRogue, probe: Probe) -> None:
    """With the bus master bit clear the same device reads and writes no byte."""
    buffer = probe.buffer(SIZE, content=CPU)
    rogue.set_bus_master(False)

    rogue.write(buffer.phys, DEVICE.content(0, 64))
    unchanged(buffer, CPU)
    rogue.set_bus_master(True)
    rogue.write(buffer.phys, DEVICE.content(0, 64))
    holds(buffer, DEVICE, 0, 64)


@pytest.mark.property("B4")
def test_what_a_real_device_writes_reaches_its_driver(probe: Probe, rogue: EduRogue) -> None:
    """A device that writes to its mapping reaches the driver's buffer after unmap."""
    device = probe.device(str(rogue.bdf))
    buffer = probe.buffer(SIZE, content=CPU)

    with device.map_single(buffer, Direction.FROM_DEVICE) as mapping:
        rogue.write(mapping.dma_addr, DEVICE.content(0, 100))

    holds(buffer, DEVICE, 0, 100)
    unchanged(buffer, CPU, 100)


@pytest.mark.property("B5")
def test_dma_after_unmap_does_not_reach_the_buffer(probe: Probe, rogue: EduRogue) -> None:
    """A device that writes after unmap changes the pool, not the driver's buffer."""
    buffer = late_write(probe, rogue)
    equal(buffer, CPU.content(0, SIZE), "the driver's buffer", summary=LATE)


@pytest.mark.property("B5", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_without_a_pool_dma_after_unmap_corrupts_the_buffer(probe: Probe, rogue: EduRogue) -> None:
    """Without a pool a device that writes after unmap changes the driver's buffer."""
    equal(late_write(probe, rogue)[:100], DEVICE.content(0, 100), "the driver's buffer")


def late_write(probe: Probe, rogue: EduRogue) -> bytes:
    """Map, unmap and reuse a buffer, then write to the old mapping; returns the buffer."""
    device = probe.device(str(rogue.bdf))
    buffer = probe.buffer(SIZE)
    mapping = device.map_single(buffer, Direction.FROM_DEVICE)
    mapping.unmap()
    buffer.fill(CPU)
    rogue.write(mapping.dma_addr, DEVICE.content(0, 100))
    return buffer.read()


@pytest.mark.property("B3")
def test_a_search_of_all_memory_says_where_a_payload_is(
    guest: Guest, probe: Probe, rogue: EduRogue, types: KernelTypes
) -> None:
    """A mapped payload is in the CPU's buffer and once in the pool, at the mapping's address."""
    device = probe.device(str(rogue.bdf))
    payload = secrets.token_bytes(64)
    buffer = probe.buffer(SIZE)
    buffer.write(payload)

    with device.map_single(buffer, Direction.TO_DEVICE) as mapping, paused(guest):
        hits = Atlas(types).search(payload[:32]).hits

    in_pools = [hit.phys for hit in hits if hit.use is MemoryUse.POOL]
    equal(in_pools, [mapping.dma_addr], "addresses of the payload in pools")
    found = ", ".join(f"{hit.phys:#x}" for hit in hits)
    require(buffer.phys in {hit.phys for hit in hits}, f"the payload at {buffer.phys:#x}", found)
