# SPDX-License-Identifier: Apache-2.0
"""FENCE: an NVMe rogue, which copies megabytes at once, with a fence and without one."""

import secrets

import pytest

from harness.base.address_range import AddressRange
from harness.base.space import MIB
from harness.devices.probe import Direction, Probe
from harness.devices.rogue import EduRogue, NvmeRogue
from harness.machine.devicetree import Pool
from harness.machine.layout import RAM_BASE
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, LiveMemory, find
from harness.suite.lib.expect import (
    equal,
    fence_held,
    holds,
    require,
    same_bytes,
    unchanged,
)
from harness.suite.lib.kernel_data import release_string
from harness.suite.lib.rogues import needs_rogue
from harness.suite.lib.tiers import in_default_tier
from harness.suite.lib.written import CPU, DEVICE

PAGE = 4096

BULK = 64 * MIB
"""Bytes that it copies in 0.3 s; ``edu`` would take an hour."""

WINDOW = AddressRange(0x4F80_0000, 2 * PAGE)
"""A part of the pool."""

RANGES = (
    *((0, 1), (3, 5), (7, 513), (4095, 2)),
    *((0, 512), (100, 3996), (0, PAGE), (1, 3 * PAGE), (4095, PAGE + 2)),
)
"""Offsets in a page and sizes: within a block of the device, across blocks, across a page's end."""

pytestmark = needs_rogue("nvme")

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
    """A hostile device copies 64 MiB of kernel memory, and the content of a file with it."""
    secret = secrets.token_bytes(32)
    guest.agent.write_file("/tmp/secret", secret)
    place = next(find(memory, secret))
    base = max(RAM_BASE, (place - BULK // 2) & -PAGE)

    stolen = nvme.read(base, BULK)

    require(secret in stolen, "the file's content in what the device read", "it is not there")


@pytest.mark.property("FENCE", control=True)
def test_without_a_fence_it_overwrites_the_release_string(
    guest: Guest, nvme: NvmeRogue, types: KernelTypes
) -> None:
    """A hostile device overwrites kernel data, and uname(2) shows it."""
    nvme.write(release_string(types), b"PWNED\0")

    equal(guest.agent.run("uname -r").text, "PWNED\n", "uname -r")


@FENCED
@pytest.mark.property("FENCE")
@pytest.mark.tries("the rogue accesses memory outside its window")
def test_a_fence_keeps_it_from_kernel_memory(
    guest: Guest, nvme: NvmeRogue, types: KernelTypes, memory: LiveMemory
) -> None:
    """The fence refuses reads and writes of kernel memory, and records device and address."""
    place = release_string(types)
    before = memory.read(place & -PAGE, PAGE)

    stolen = nvme.read(place, 8)
    nvme.write(place, b"PWNED\0\0\0")

    equal(stolen, bytes(8), "what the device read")
    same_bytes(memory, place & -PAGE, before)
    refused = {(one.device, one.address, one.access) for one in guest.fence_refusals()}
    missing = {(str(nvme.bdf), place, access) for access in ("read", "write")} - refused
    equal(missing, set(), "accesses that the fence did not record")


@WITH_AND_WITHOUT_FENCE
@pytest.mark.property("B4")
def test_what_it_writes_into_the_pool_reaches_its_driver(
    guest: Guest, nvme: NvmeRogue, probe: Probe
) -> None:
    """A device that does DMA to its mapping reaches the buffer, with a fence and without one."""
    device = probe.device(str(nvme.bdf))
    buffer = probe.buffer(PAGE, content=CPU)

    with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
        read = nvme.read(mapping.dma_addr, PAGE)
        nvme.write(mapping.dma_addr, DEVICE.content(0, 100))

    equal(read, CPU.content(0, PAGE), "what the device read from the mapping")
    holds(buffer, DEVICE, 0, 100)
    unchanged(buffer, CPU, 100)
    fence_held(guest)


@WITH_AND_WITHOUT_FENCE
def test_it_reads_and_writes_just_the_bytes_that_it_is_told_to(
    guest: Guest, nvme: NvmeRogue, pool: Pool, memory: LiveMemory
) -> None:
    """The rogue reads or writes any range of bytes, and changes no byte next to it."""
    base, room = pool.base + pool.size // 2, 5 * PAGE
    for offset, size in RANGES:
        before, data = secrets.token_bytes(room), secrets.token_bytes(size)
        guest.qtest.write(base, before)

        nvme.write(base + offset, data)
        expected = before[:offset] + data + before[offset + size :]

        same_bytes(memory, base, expected)
        equal(nvme.read(base + offset, size), data, "what the device read")
        same_bytes(memory, base, expected)


@FENCED
@pytest.mark.property("FENCE")
@pytest.mark.parametrize("windows", [(WINDOW,)])
@pytest.mark.parametrize("offset", in_default_tier([0, 1000, PAGE - 1], "1000"))
@pytest.mark.tries("the rogue accesses memory outside its window")
def test_a_transfer_across_a_window_stops_at_its_edges(
    guest: Guest, nvme: NvmeRogue, memory: LiveMemory, offset: int
) -> None:
    """A device that accesses a range larger than its window reaches only the window."""
    base, size = WINDOW.base - 2 * PAGE + offset, WINDOW.size + 3 * PAGE
    before, data = secrets.token_bytes(size), secrets.token_bytes(size)
    guest.qtest.write(base, before)
    inner = slice(WINDOW.base - base, WINDOW.end - base)
    expected = before[: inner.start] + data[inner] + before[inner.stop :]

    read = nvme.read(base, size)
    nvme.write(base, data)

    expected_read = bytes(inner.start) + before[inner] + bytes(size - inner.stop)
    equal(read, expected_read, "what the device read")
    same_bytes(memory, base, expected)


@FENCED
@pytest.mark.nightly("the default tier tests one rogue at a time")
def test_two_rogues_do_not_disturb_each_other(guest: Guest, probe: Probe, pool: Pool) -> None:
    """An edu and an nvme in two root ports reach the pool in turn."""
    edu, nvme = EduRogue(guest, 0), NvmeRogue(guest, 1)
    place, data = pool.base + pool.size // 2, secrets.token_bytes(100)

    nvme.write(place, data)
    seen = edu.read(place, len(data))
    edu.write(place, data[::-1])

    equal(seen, data, "what edu read after nvme wrote")
    equal(nvme.read(place, len(data)), data[::-1], "what nvme read after edu wrote")
    missing = {str(edu.bdf), str(nvme.bdf)} - {device.name for device in probe.devices()}
    equal(missing, set(), "devices that the kernel does not have")


@pytest.mark.nightly("a slot takes a second to switch off")
def test_it_can_be_pulled_out_and_plugged_in_again(guest: Guest, probe: Probe, pool: Pool) -> None:
    """The kernel removes the device, and takes the next one in the same slot."""
    place, data = pool.base + pool.size // 2, secrets.token_bytes(100)
    first = NvmeRogue(guest)
    first.write(place, data)

    first.detach()

    names = {device.name for device in probe.devices()}
    require(str(first.bdf) not in names, f"no device {first.bdf}", ", ".join(sorted(names)))
    equal(NvmeRogue(guest).read(place, len(data)), data, "what the next device read")
