# SPDX-License-Identifier: Apache-2.0
"""Firmware at EL2: a fence that the kernel can neither change nor see, and its control."""

import secrets
from pathlib import Path

import pytest

from harness.base.address_range import AddressRange
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Pool
from harness.machine.fence.firmware import CPU_MEMORY, EVENTS, RAM, Bank
from harness.machine.fence.smmu import SMMU, Smmu
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import park_running, restore
from harness.observe.memory import KernelTypes, LiveMemory, find
from harness.suite.lib.expect import same_bytes
from harness.suite.lib.tiers import some_by_day

PAGE = 4096
ANYTHING = 0x5A5A_5A5A

WITH_FIRMWARE = pytest.mark.parametrize("fence_name", ["firmware"])
WITHOUT_FIRMWARE = pytest.mark.parametrize("fence_name", ["smmu"])

PLACES = {
    "SMMU-switch": SMMU + Smmu.CR0,
    "SMMU-stream-table": SMMU + Smmu.STRTAB_BASE,
    "SMMU-event-queue": SMMU + Smmu.EVENTQ_PROD,
    "code": Bank.CODE,
    "stage-2-tables": Bank.STAGE2,
    "SMMU-tables": Bank.SMMU,
    "other-flash-bank": 0x0400_0000,
    "stack": CPU_MEMORY.base + PAGE - 8,
    "events": EVENTS.base,
    "RAM-begin": RAM.base,
    "RAM-end": RAM.end - 4,
}
"""What is none of the kernel's business."""


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("cpus", some_by_day([1, 4, 8], "4"))
def test_all_cpus_come_up_below_the_firmware(booted_guest: Guest, cpus: int) -> None:
    """Every CPU starts at EL1, and nobody has touched what the firmware keeps."""
    assert "CPU: All CPU(s) started at EL1" in "\n".join(booted_guest.kernel_log())
    assert booted_guest.agent.run("nproc").text == f"{cpus}\n"
    assert booted_guest.fence_damage() == []
    assert booted_guest.cpu_refusals().count == 0


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
def test_the_kernel_is_not_told_of_the_fence(guest: Guest) -> None:
    """Neither the devicetree nor the map of memory has the SMMU, the flash or the hidden RAM."""
    nodes = guest.agent.run("ls /proc/device-tree").text
    resources = guest.agent.read_file("/proc/iomem").decode()

    assert "smmu" not in nodes
    assert "flash" not in nodes
    assert f"{RAM.end:x}-" in resources
    assert f"{RAM.base:x}-" not in resources


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("address", some_by_day(PLACES, "SMMU-switch", "stage-2-tables", "stack"))
def test_what_the_kernel_writes_to_the_fence_is_dropped(guest: Guest, address: int) -> None:
    """A write of root's to any part of the fence changes nothing, and the firmware counts it."""
    before = guest.qtest.read_register(address, 4)

    write(guest, address, ANYTHING)

    assert guest.qtest.read_register(address, 4) == before
    assert guest.fence_damage() == []
    assert refused(guest) == [("write", address)]


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("address", PLACES.values(), ids=PLACES)
@pytest.mark.nightly("by day the fence is seen to hold at all")
def test_the_kernel_reads_nothing_of_the_fence(guest: Guest, address: int) -> None:
    """All parts of the fence read as zero, and the firmware counts that too."""
    assert read(guest, address) == 0
    assert refused(guest) == [("read", address)]


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.nightly("by day the fence is seen to hold at all")
def test_an_access_of_any_width_is_refused(guest: Guest, width: int) -> None:
    """Bytes, half words, words and double words are refused alike."""
    address = SMMU + Smmu.STRTAB_BASE

    assert read(guest, address, width) == 0
    write(guest, address, 0, width)

    assert guest.fence_damage() == []
    assert refused(guest) == [("read", address), ("write", address)]


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("cpus", [4])
@pytest.mark.nightly("by day the fence is seen to hold at all")
def test_every_cpu_is_refused(guest: Guest, cpus: int) -> None:
    """No CPU that the kernel started later is any freer than the first."""
    for cpu in range(cpus):
        write(guest, SMMU + Smmu.CR0, 0, before=f"taskset {1 << cpu:x}")

    assert [refusal.cpu for refusal in guest.cpu_refusals().last] == list(range(cpus))
    assert guest.fence_damage() == []


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.tries("the rogue tries what lies outside")
def test_a_rogue_reads_the_pool_and_not_a_secret(
    guest: Guest, rogue: EduRogue, memory: LiveMemory, pool: Pool
) -> None:
    """After root tried to switch the SMMU off, a device still reads nothing but the pool."""
    write(guest, SMMU + Smmu.CR0, 0)

    assert reads_pool(guest, rogue, pool)
    assert not reads_secret(guest, rogue, memory)
    assert guest.fence_damage() == []


@pytest.mark.property("FENCE", control=True)
@WITHOUT_FIRMWARE
@pytest.mark.tries("the rogue reads a secret before that, too")
@pytest.mark.disables("root switches the SMMU off")
@pytest.mark.tries("the rogue tries before that, too")
def test_without_firmware_root_switches_the_fence_off(
    guest: Guest, rogue: EduRogue, memory: LiveMemory
) -> None:
    """The same write does switch off an SMMU that nothing hides, and the device reads it all."""
    assert guest.fence_damage() == []
    assert not reads_secret(guest, rogue, memory)

    write(guest, SMMU + Smmu.CR0, 0)

    assert guest.fence_damage() != []
    assert reads_secret(guest, rogue, memory)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.tries("the rogue tries what lies outside")
@pytest.mark.nightly("by day the fence is seen to hold at all")
def test_a_refusal_names_device_address_and_direction(
    guest: Guest, rogue: EduRogue, types: KernelTypes, memory: LiveMemory
) -> None:
    """A device that reads and overwrites kernel data is named, and the data stay as they were."""
    place = release_string(types)
    before = memory.read(place, 4)

    rogue.read(place, 4)
    rogue.write(place, b"PWN\0")

    same_bytes(memory, place, before)
    assert [(r.device, r.address, r.access) for r in guest.fence_refusals()] == [
        (str(rogue.bdf), place, "read"),
        (str(rogue.bdf), place, "write"),
    ]


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("cpus", [2])
@pytest.mark.tries("the rogue tries what lies outside")
@pytest.mark.nightly("by day the fence is seen to hold at all")
def test_the_fence_stands_after_a_reset(booted_guest: Guest, pool: Pool) -> None:
    """After a reset the firmware puts the fence up again, before the kernel runs."""
    write(booted_guest, SMMU + Smmu.CR0, 0)

    booted_guest.reset()
    booted_guest.wait_ready()

    assert booted_guest.fence_damage() == []
    assert booted_guest.cpu_refusals().count == 0
    check_confined(booted_guest, pool)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.nightly("by day the fence is seen to hold at all")
def test_the_fence_stands_after_park_and_restore(
    booted_guest: Guest, pool: Pool, tmp_path: Path
) -> None:
    """A guest that was parked has its fence, and what the firmware counted, when it comes back."""
    write(booted_guest, SMMU + Smmu.CR0, 0)

    with restore(park_running(booted_guest, tmp_path)) as restored:
        assert restored.fence_damage() == []
        assert refused(restored) == [("write", SMMU + Smmu.CR0)]
        check_confined(restored, pool)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize(
    "windows", [(AddressRange(0x4F00_0000, PAGE), AddressRange(0x4F80_0000, 2 << 20))]
)
@pytest.mark.tries("the rogue tries what lies outside")
@pytest.mark.nightly("by day the fence is seen to hold at all")
def test_windows_may_be_several_and_of_any_size(
    guest: Guest, rogue: EduRogue, windows: tuple[AddressRange, ...]
) -> None:
    """A device reaches the first and the last byte of every window, and not the ones beside."""
    for window in windows:
        for inside in (window.base, window.end - 1):
            rogue.write(inside, b"x")
            assert guest.qtest.read(inside, 1) == b"x"
        for outside in (window.base - 1, window.end):
            guest.qtest.write(outside, b"-")
            rogue.write(outside, b"x")
            assert guest.qtest.read(outside, 1) == b"-"


def write(guest: Guest, address: int, value: int, width: int = 4, before: str = "") -> None:
    """Write guest-physical memory as root, with a command *before* the command."""
    command = f"{before} devmem {address:#x} {8 * width} {value:#x}".strip()
    assert guest.agent.run(command).status == 0


def read(guest: Guest, address: int, width: int = 4) -> int:
    """Read guest-physical memory as root."""
    return int(guest.agent.run(f"devmem {address:#x} {8 * width}").text, 0)


def refused(guest: Guest) -> list[tuple[str, int]]:
    """What the firmware has refused: access and address."""
    refusals = guest.cpu_refusals()
    assert refusals.count == len(refusals.last)
    return [(refusal.access, refusal.address) for refusal in refusals.last]


def check_confined(guest: Guest, pool: Pool) -> None:
    """A rogue that is plugged in now reaches the pool, and nothing in front of it."""
    rogue = EduRogue(guest)
    place = pool.base - PAGE
    before = guest.qtest.read(place, 4)
    rogue.write(place, b"evil")
    assert guest.qtest.read(place, 4) == before
    assert reads_pool(guest, rogue, pool)
    assert {r.address for r in guest.fence_refusals()} == {place}


def reads_pool(guest: Guest, rogue: EduRogue, pool: Pool) -> bool:
    """Whether the rogue can read the last bytes of the pool."""
    content = secrets.token_bytes(16)
    guest.qtest.write(pool.end - 16, content)
    return rogue.read(pool.end - 16, 16) == content


def reads_secret(guest: Guest, rogue: EduRogue, memory: LiveMemory) -> bool:
    """Whether the rogue can read a file's content out of the kernel's memory."""
    secret = secrets.token_bytes(32)
    guest.agent.write_file("/tmp/secret", secret)
    (place, *_) = find(memory, secret)
    return rogue.read(place, len(secret)) == secret


def release_string(types: KernelTypes) -> int:
    """Where the kernel's release string lies."""
    address = types.program["init_uts_ns"].name.release.address_
    assert address is not None
    return types.image.to_phys(address) & ~3
