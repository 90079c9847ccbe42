# SPDX-License-Identifier: Apache-2.0
"""FENCE: firmware at EL2 keeps the kernel from changing or seeing the fence, and its control."""

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
from harness.suite.lib.expect import equal, fence_intact, logged, require, same_bytes
from harness.suite.lib.kernel_data import release_string
from harness.suite.lib.tiers import in_default_tier

PAGE = 4096
ANYTHING = 0x5A5A_5A5A

ACCESSES = "accesses that the firmware refused"
READS_POOL = "the rogue reads the end of the pool"
READS_SECRET = "the rogue reads a file of the guest"

WITH_FIRMWARE = pytest.mark.parametrize("fence_name", ["firmware"])
WITHOUT_FIRMWARE = pytest.mark.parametrize("fence_name", ["smmu"])

BY_ROOT = pytest.mark.needs("root accesses memory through /dev/mem", config="DEVMEM=y")

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
"""Addresses that the firmware hides from the kernel."""


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("cpus", in_default_tier([1, 4, 8], "4"))
def test_all_cpus_come_up_below_the_firmware(booted_guest: Guest, cpus: int) -> None:
    """The kernel starts every CPU at EL1 and accesses no address that the firmware hides."""
    logged(booted_guest, "CPU: All CPU(s) started at EL1")
    equal(booted_guest.agent.run("nproc").text, f"{cpus}\n", "CPUs (nproc)")
    fence_intact(booted_guest)
    equal(refused(booted_guest), [], ACCESSES)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
def test_the_kernel_is_not_told_of_the_fence(guest: Guest) -> None:
    """The kernel's devicetree and /proc/iomem have no SMMU, no flash and no hidden RAM."""
    nodes = guest.agent.run("ls /proc/device-tree").text
    resources = guest.agent.read_file("/proc/iomem").decode()

    for name in ("smmu", "flash"):
        require(name not in nodes, f"no node {name} in /proc/device-tree", nodes)
    for address, shown in ((RAM.end, True), (RAM.base, False)):
        wanted = f"a range from {address:#x} on in /proc/iomem: {shown}"
        require((f"{address:x}-" in resources) is shown, wanted, resources)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize(
    "address", in_default_tier(PLACES, "SMMU-switch", "stage-2-tables", "stack")
)
@BY_ROOT
def test_what_the_kernel_writes_to_the_fence_is_dropped(guest: Guest, address: int) -> None:
    """A write by root to any part of the fence changes nothing, and the firmware records it."""
    before = guest.qtest.read_register(address, 4)

    write(guest, address, ANYTHING)

    equal(guest.qtest.read_register(address, 4), before, f"the word at {address:#x}")
    fence_intact(guest)
    equal(refused(guest), [("write", address)], ACCESSES)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("address", PLACES.values(), ids=PLACES)
@pytest.mark.nightly("the default tier tests one access of the fence")
@BY_ROOT
def test_the_kernel_reads_nothing_of_the_fence(guest: Guest, address: int) -> None:
    """The kernel reads zeros from any part of the fence, and the firmware records the access."""
    equal(read(guest, address), 0, f"a read of {address:#x}")
    equal(refused(guest), [("read", address)], ACCESSES)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("width", [1, 2, 4, 8])
@pytest.mark.nightly("the default tier tests one access of the fence")
@BY_ROOT
def test_an_access_of_any_width_is_refused(guest: Guest, width: int) -> None:
    """The firmware refuses accesses of 1, 2, 4 and 8 bytes."""
    address = SMMU + Smmu.STRTAB_BASE

    equal(read(guest, address, width), 0, f"a read of {width} bytes at {address:#x}")
    write(guest, address, 0, width)

    fence_intact(guest)
    equal(refused(guest), [("read", address), ("write", address)], ACCESSES)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("cpus", [4])
@pytest.mark.nightly("the default tier tests one access of the fence")
@BY_ROOT
def test_every_cpu_is_refused(guest: Guest, cpus: int) -> None:
    """The firmware refuses accesses by every CPU, also by those that the kernel started later."""
    for cpu in range(cpus):
        write(guest, SMMU + Smmu.CR0, 0, before=f"taskset {1 << cpu:x}")

    by = [refusal.cpu for refusal in guest.cpu_refusals().last]
    equal(by, list(range(cpus)), "CPUs that the firmware refused")
    fence_intact(guest)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.tries("the rogue accesses memory outside its window")
@BY_ROOT
def test_a_rogue_reads_the_pool_and_not_a_secret(
    guest: Guest, rogue: EduRogue, memory: LiveMemory, pool: Pool
) -> None:
    """After root tried to disable the SMMU, a device still reads nothing but the pool."""
    write(guest, SMMU + Smmu.CR0, 0)

    equal(reads_pool(guest, rogue, pool), True, READS_POOL)
    equal(reads_secret(guest, rogue, memory), False, READS_SECRET)
    fence_intact(guest)


@pytest.mark.property("FENCE", control=True)
@WITHOUT_FIRMWARE
@pytest.mark.tries("the rogue reads a secret before that, too")
@pytest.mark.disables("root disables the SMMU")
@BY_ROOT
def test_without_firmware_root_switches_the_fence_off(
    guest: Guest, rogue: EduRogue, memory: LiveMemory
) -> None:
    """The same write disables an SMMU that no firmware hides, and the device reads all memory."""
    fence_intact(guest)
    equal(reads_secret(guest, rogue, memory), False, READS_SECRET)

    write(guest, SMMU + Smmu.CR0, 0)

    require(guest.fence_damage(), "a fence that root changed", "an intact fence")
    equal(reads_secret(guest, rogue, memory), True, READS_SECRET)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.tries("the rogue accesses memory outside its window")
@pytest.mark.nightly("the default tier tests one access of the fence")
def test_a_refusal_names_device_address_and_direction(
    guest: Guest, rogue: EduRogue, types: KernelTypes, memory: LiveMemory
) -> None:
    """The fence records device, address and direction of an access, and the data stay unchanged."""
    place = release_string(types) & ~3
    before = memory.read(place, 4)

    rogue.read(place, 4)
    rogue.write(place, b"PWN\0")

    same_bytes(memory, place, before)
    recorded = [(r.device, r.address, r.access) for r in guest.fence_refusals()]
    expected = [(str(rogue.bdf), place, access) for access in ("read", "write")]
    equal(recorded, expected, "accesses that the fence refused")


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize("cpus", [2])
@pytest.mark.tries("the rogue accesses memory outside its window")
@pytest.mark.nightly("the default tier tests one access of the fence")
@BY_ROOT
def test_the_fence_stands_after_a_reset(booted_guest: Guest, pool: Pool) -> None:
    """After a reset the firmware sets up the fence again before the kernel runs."""
    write(booted_guest, SMMU + Smmu.CR0, 0)

    booted_guest.reset()
    booted_guest.wait_ready()

    fence_intact(booted_guest)
    equal(refused(booted_guest), [], ACCESSES)
    check_confined(booted_guest, pool)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.nightly("the default tier tests one access of the fence")
@BY_ROOT
def test_the_fence_stands_after_park_and_restore(
    booted_guest: Guest, pool: Pool, tmp_path: Path
) -> None:
    """A guest that was parked and restored has its fence and the firmware's record of accesses."""
    write(booted_guest, SMMU + Smmu.CR0, 0)

    with restore(park_running(booted_guest, tmp_path)) as restored:
        fence_intact(restored)
        equal(refused(restored), [("write", SMMU + Smmu.CR0)], ACCESSES)
        check_confined(restored, pool)


@pytest.mark.property("FENCE")
@WITH_FIRMWARE
@pytest.mark.parametrize(
    "windows", [(AddressRange(0x4F00_0000, PAGE), AddressRange(0x4F80_0000, 2 << 20))]
)
@pytest.mark.tries("the rogue accesses memory outside its window")
@pytest.mark.nightly("the default tier tests one access of the fence")
def test_windows_may_be_several_and_of_any_size(
    guest: Guest, rogue: EduRogue, windows: tuple[AddressRange, ...]
) -> None:
    """A device reaches the first and the last byte of every window, and no byte next to it."""
    for window in windows:
        for inside in (window.base, window.end - 1):
            rogue.write(inside, b"x")
            equal(guest.qtest.read(inside, 1), b"x", f"{inside:#x}, inside the window {window}")
        for outside in (window.base - 1, window.end):
            guest.qtest.write(outside, b"-")
            rogue.write(outside, b"x")
            equal(guest.qtest.read(outside, 1), b"-", f"{outside:#x}, outside the window {window}")


def write(guest: Guest, address: int, value: int, width: int = 4, before: str = "") -> None:
    """Write guest-physical memory as root; *before* is a prefix of the command."""
    command = f"{before} devmem {address:#x} {8 * width} {value:#x}".strip()
    equal(guest.agent.run(command).status, 0, f"exit status of {command}")


def read(guest: Guest, address: int, width: int = 4) -> int:
    """Read guest-physical memory as root."""
    return int(guest.agent.run(f"devmem {address:#x} {8 * width}").text, 0)


def refused(guest: Guest) -> list[tuple[str, int]]:
    """Every access that the firmware refused, with its address."""
    refusals = guest.cpu_refusals()
    equal(refusals.count, len(refusals.last), ACCESSES)
    return [(refusal.access, refusal.address) for refusal in refusals.last]


def check_confined(guest: Guest, pool: Pool) -> None:
    """A rogue that is plugged in now reaches the pool, and not the page before it."""
    rogue = EduRogue(guest)
    place = pool.base - PAGE
    before = guest.qtest.read(place, 4)
    rogue.write(place, b"evil")
    equal(guest.qtest.read(place, 4), before, f"memory at {place:#x}, before the pool")
    equal(reads_pool(guest, rogue, pool), True, READS_POOL)
    equal({r.address for r in guest.fence_refusals()}, {place}, "addresses that the fence refused")


def reads_pool(guest: Guest, rogue: EduRogue, pool: Pool) -> bool:
    """Whether the rogue can read the last bytes of the pool."""
    content = secrets.token_bytes(16)
    guest.qtest.write(pool.end - 16, content)
    return rogue.read(pool.end - 16, 16) == content


def reads_secret(guest: Guest, rogue: EduRogue, memory: LiveMemory) -> bool:
    """Whether the rogue can read the content of a file from the kernel's memory."""
    secret = secrets.token_bytes(32)
    guest.agent.write_file("/tmp/secret", secret)
    (place, *_) = find(memory, secret)
    return rogue.read(place, len(secret)) == secret
