# SPDX-License-Identifier: Apache-2.0
"""A hostile device that moves megabytes at once, with a fence around it and without one."""

import secrets

import pytest

from harness.base.address_range import AddressRange
from harness.base.space import MIB
from harness.devices.probe import Direction, Probe, Seed
from harness.devices.rogue import EduRogue, NvmeRogue
from harness.machine.devicetree import Pool
from harness.machine.layout import RAM_BASE
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, LiveMemory, find
from harness.suite.lib.expect import holds, same_bytes, unchanged
from harness.suite.lib.tiers import some_by_day

PAGE = 4096
CPU, DEVICE = Seed(0xC9), Seed(0xDE)

BULK = 64 * MIB
"""Bytes that it copies in 0.3 s; ``edu`` would take an hour."""

WINDOW = AddressRange(0x4F80_0000, 2 * PAGE)
"""A part of the pool."""

RANGES = (
    *((0, 1), (3, 5), (7, 513), (4095, 2)),
    *((0, 512), (100, 3996), (0, PAGE), (1, 3 * PAGE), (4095, PAGE + 2)),
)
"""Offsets in a page and sizes: within a block of the device's and across it, and a page's end."""

FENCED = pytest.mark.parametrize("fence_name", ["smmu"])
WITH_AND_WITHOUT_FENCE = pytest.mark.parametrize("fence_name", ["", "smmu"])


@pytest.fixture
def nvme(guest: Guest) -> NvmeRogue:
    """The rogue in root port 0."""
    return NvmeRogue(guest)


@pytest.mark.property("FENCE", control=True)
def test_without_a_fence_it_finds_a_secret_in_all_of_memory(
    guest: Guest, nvme: NvmeRogue, memory: LiveMemory
) -> None:
    """A hostile device copies memory by the tens of megabytes, and with it a file's content."""
    secret = secrets.token_bytes(32)
    guest.agent.write_file("/tmp/secret", secret)
    place = next(find(memory, secret))
    base = max(RAM_BASE, (place - BULK // 2) & -PAGE)

    stolen = nvme.read(base, BULK)

    assert secret in stolen


@pytest.mark.property("FENCE", control=True)
def test_without_a_fence_it_overwrites_the_release_string(
    guest: Guest, nvme: NvmeRogue, types: KernelTypes
) -> None:
    """A hostile device rewrites kernel data, and the guest itself says so."""
    nvme.write(release(types), b"PWNED\0")

    assert guest.agent.run("uname -r").text == "PWNED\n"


@FENCED
@pytest.mark.property("FENCE")
@pytest.mark.tries("the rogue tries what lies outside")
def test_a_fence_keeps_it_from_kernel_memory(
    guest: Guest, nvme: NvmeRogue, types: KernelTypes, memory: LiveMemory
) -> None:
    """Kernel memory is neither read nor written, and the fence says who tried what, and where."""
    place = release(types)
    before = memory.read(place & -PAGE, PAGE)

    stolen = nvme.read(place, 8)
    nvme.write(place, b"PWNED\0\0\0")

    assert stolen == bytes(8)
    same_bytes(memory, place & -PAGE, before)
    tried = {(one.device, one.address, one.access) for one in guest.fence_refusals()}
    name = str(nvme.bdf)
    assert {(name, place, "read"), (name, place, "write")} <= tried


@WITH_AND_WITHOUT_FENCE
@pytest.mark.property("B4")
def test_what_it_writes_into_the_pool_reaches_its_driver(
    guest: Guest, nvme: NvmeRogue, probe: Probe
) -> None:
    """A device that does DMA to the address it was given works through pool and fence."""
    device = probe.device(str(nvme.bdf))
    buffer = probe.buffer(PAGE)
    buffer.fill(CPU)

    with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
        read = nvme.read(mapping.dma_addr, PAGE)
        nvme.write(mapping.dma_addr, DEVICE.content(0, 100))

    assert read == CPU.content(0, PAGE)
    holds(buffer, DEVICE, 0, 100)
    unchanged(buffer, CPU, 100)
    assert guest.fence_refusals() == []


@WITH_AND_WITHOUT_FENCE
def test_it_reads_and_writes_just_the_bytes_that_it_is_told_to(
    guest: Guest, nvme: NvmeRogue, pool: Pool, memory: LiveMemory
) -> None:
    """Any range of bytes can be read or written, and no neighbour of it changes."""
    base, room = pool.base + pool.size // 2, 5 * PAGE
    for offset, size in RANGES:
        before, data = secrets.token_bytes(room), secrets.token_bytes(size)
        guest.qtest.write(base, before)

        nvme.write(base + offset, data)
        expected = before[:offset] + data + before[offset + size :]

        same_bytes(memory, base, expected)
        assert nvme.read(base + offset, size) == data
        same_bytes(memory, base, expected)


@FENCED
@pytest.mark.property("FENCE")
@pytest.mark.parametrize("windows", [(WINDOW,)])
@pytest.mark.parametrize("offset", some_by_day([0, 1000, PAGE - 1], "1000"))
@pytest.mark.tries("the rogue tries what lies outside")
def test_a_transfer_across_a_window_stops_at_its_edges(
    guest: Guest, nvme: NvmeRogue, memory: LiveMemory, offset: int
) -> None:
    """Of a range that lies around a window the part within is all that it gets."""
    base, size = WINDOW.base - 2 * PAGE + offset, WINDOW.size + 3 * PAGE
    before, data = secrets.token_bytes(size), secrets.token_bytes(size)
    guest.qtest.write(base, before)
    inner = slice(WINDOW.base - base, WINDOW.end - base)
    expected = before[: inner.start] + data[inner] + before[inner.stop :]

    read = nvme.read(base, size)
    nvme.write(base, data)

    assert read == bytes(inner.start) + before[inner] + bytes(size - inner.stop)
    same_bytes(memory, base, expected)


@FENCED
@pytest.mark.nightly("the rogue works alone by day")
def test_two_rogues_do_not_disturb_each_other(guest: Guest, probe: Probe, pool: Pool) -> None:
    """An edu and an nvme in two ports reach the pool in turn, each by its own means."""
    edu, nvme = EduRogue(guest, 0), NvmeRogue(guest, 1)
    place, data = pool.base + pool.size // 2, secrets.token_bytes(100)

    nvme.write(place, data)
    seen = edu.read(place, len(data))
    edu.write(place, data[::-1])

    assert seen == data
    assert nvme.read(place, len(data)) == data[::-1]
    names = {device.name for device in probe.devices()}
    assert {str(edu.bdf), str(nvme.bdf)} <= names


@pytest.mark.nightly("a slot takes a second to switch off")
def test_it_can_be_pulled_out_and_plugged_in_again(guest: Guest, probe: Probe, pool: Pool) -> None:
    """The guest lets the device go, and takes the next one in the same slot."""
    place, data = pool.base + pool.size // 2, secrets.token_bytes(100)
    first = NvmeRogue(guest)
    first.write(place, data)

    first.detach()

    assert str(first.bdf) not in {device.name for device in probe.devices()}
    assert NvmeRogue(guest).read(place, len(data)) == data


def release(types: KernelTypes) -> int:
    """Where the kernel's release string lies in physical memory."""
    address = types.program["init_uts_ns"].name.release.address_
    assert address is not None
    return types.image.to_phys(address)
