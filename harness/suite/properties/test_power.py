# SPDX-License-Identifier: Apache-2.0
"""Properties F3, F4 and F5: the machine sleeps, hibernates, or starts another kernel.

It suspends to idle: to suspend to RAM, Linux needs PSCI's SYSTEM_SUSPEND, which QEMU's board has
not (target/arm/psci.c, 7.2; target/arm/tcg/psci.c, 11.1).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from harness.base.address_range import AddressRange
from harness.base.space import MIB
from harness.devices.drivers import wait_usable
from harness.devices.probe import Allocation, Buffer, Device, Direction, Mapping, Probe
from harness.devices.shell import shell
from harness.machine.devicetree import Pool
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.shape import DEFAULT_SHAPE, NO_POOL
from harness.observe.memory import KnownTypes, live_memory
from harness.plugin.counters import PoolCounters
from harness.plugin.guests import Guests
from harness.suite.lib import second_kernel
from harness.suite.lib.attached import assigned
from harness.suite.lib.expect import (
    equal,
    holds,
    in_pool,
    logged,
    require,
    same_bytes,
    slots_used,
    unchanged,
)
from harness.suite.lib.file_disk import plug_file_disk
from harness.suite.lib.written import CPU, DEVICE, STALE

pytestmark = [
    pytest.mark.nightly("a kernel of its own"),
    pytest.mark.parametrize("flavour", ["lifecycle"]),
]

SIZE = 5000
"""Bytes; three slots."""

SLEEP = 2
"""Seconds until the clock's alarm: the next second may begin at once."""

SUSPEND = f"""\
cd /sys/power
for time in 1 2 3 4 5; do
    echo 0 > /sys/class/rtc/rtc0/wakealarm
    echo $(cat wakeup_count) > wakeup_count
    echo +{SLEEP} > /sys/class/rtc/rtc0/wakealarm
    echo freeze > state && exit 0
done
exit 1
"""
"""The kernel refuses to sleep if the alarm came before (Linux, Documentation/ABI/testing/
sysfs-power, wakeup_count), as on a busy host."""

WAKE_TIMEOUT = 60.0
"""Seconds for a sleep or a hibernation; on an idle machine 3."""

TOP = AddressRange(0x4F00_0000, 16 * MIB)
"""The end of RAM: the pool of most shapes, and where kexec looks for room first."""

CRASH = AddressRange(TOP.base - 8 * MIB, 16 * MIB)
"""A place for a crash kernel, the second half of it in the pool."""

LOADED = "kexec_image"
"""The kernel's variable with the kernel that was loaded (kernel/kexec_core.c)."""


@dataclass(frozen=True)
class Held:
    """What a driver has when the machine goes to sleep."""

    given: Mapping
    taken: Mapping
    buffer: Buffer
    coherent: Allocation

    @classmethod
    def by(cls, device: Device, probe: Probe) -> Self:
        """A mapping for the device to read, one that it has written to, and a coherent buffer."""
        source, buffer = probe.buffer(SIZE), probe.buffer(SIZE)
        source.fill(CPU)
        held = cls(
            device.map_single(source, Direction.TO_DEVICE),
            device.map_single(buffer, Direction.FROM_DEVICE),
            buffer,
            device.alloc_coherent(SIZE),
        )
        held.taken.device_side.fill(DEVICE)
        held.coherent.fill(STALE)
        return held

    def check(self) -> None:
        """All of it is unchanged; give it back."""
        unchanged(self.given.device_side, CPU)
        unchanged(self.coherent, STALE)
        self.taken.unmap()
        holds(self.buffer, DEVICE)
        self.given.unmap()
        self.coherent.free()


def suspend(guest: Guest) -> None:
    """Suspend the guest to idle until the alarm of its clock wakes it."""
    shell(guest, SUSPEND, WAKE_TIMEOUT)
    equal(shell(guest, "cat /sys/power/suspend_stats/success").strip(), "1", "suspends so far")


@pytest.mark.property("F3")
def test_what_is_mapped_survives_a_suspend(
    guest: Guest, device: Device, probe: Probe, pool: Pool, counters: PoolCounters
) -> None:
    """Mappings and coherent memory are as they were, and the pool works as before."""
    held = Held.by(device, probe)

    suspend(guest)

    held.check()
    slots_used(counters, 0)
    with device.map_single(probe.buffer(SIZE), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, pool)


@pytest.mark.property("F3", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
def test_what_is_mapped_without_a_pool_survives_a_suspend(
    guest: Guest, device: Device, probe: Probe
) -> None:
    """The same on a device without a pool."""
    held = Held.by(device, probe)

    suspend(guest)

    held.check()


def plug_swap(guest: Guest, file: Path) -> None:
    """Plug a disk in, and use it as a swap area."""
    plug_file_disk(guest, file, guest.machine.ram_size)
    wait_usable(guest, "[ -b /dev/vda ]")
    shell(guest, "mkswap /dev/vda && swapon /dev/vda")


@pytest.mark.property("F4")
@pytest.mark.parametrize("append", ["resume=/dev/vda"])
def test_what_is_mapped_survives_a_hibernation(
    booted_guest: Guest, tmp_path: Path, pool: Pool
) -> None:
    """The kernel that boots clears the pool, and restores what was in it with all other memory."""
    guest, probe = booted_guest, Probe(booted_guest.agent)
    plug_swap(guest, tmp_path / "swap")
    device = probe.device("probe-a")
    held = Held.by(device, probe)
    guest.monitor.execute("set-action", reboot="reset")

    shell(guest, "echo reboot > /sys/power/disk && echo disk > /sys/power/state", WAKE_TIMEOUT)

    logged(guest, "PM: hibernation: hibernation exit")
    held.check()
    with device.map_single(probe.buffer(SIZE), Direction.TO_DEVICE) as mapping:
        in_pool(mapping, pool)


@pytest.fixture
def doubled(guests: Guests, machine: Machine, tmp_path: Path) -> Guest:
    """A booted guest that can start a second kernel, which is the same."""
    return guests.booted(second_kernel.with_second_kernel(machine, tmp_path))


def segments(guest: Guest, known_types: KnownTypes) -> tuple[AddressRange, ...]:
    """Where the parts of the kernel that is loaded will lie when it starts."""
    with live_memory(guest) as memory:
        image = known_types.on(guest.machine.kernel, memory).program[LOADED]
        parts = (image.segment[number] for number in range(image.nr_segments.value_()))
        return tuple(AddressRange(one.mem.value_(), one.memsz.value_()) for one in parts)


@pytest.mark.property("F5")
@pytest.mark.parametrize("shape", [DEFAULT_SHAPE, pytest.param(NO_POOL, id="control")])
def test_no_part_of_the_next_kernel_is_put_into_a_pool(
    doubled: Guest, known_types: KnownTypes, shape: str
) -> None:
    """kexec puts the next kernel at the end of RAM, unless a pool is there."""
    second_kernel.load_next(doubled)

    there = [one for one in segments(doubled, known_types) if one.overlaps(TOP)]

    if shape == NO_POOL:
        require(there, f"a part of the next kernel in {TOP}", "none")
    else:
        equal(there, [], f"parts of the next kernel in the pool {TOP}")


@pytest.mark.property("F5")
@pytest.mark.parametrize("append", [f"cma=0 crashkernel={CRASH.size >> 20}M@{CRASH.base:#x}"])
@pytest.mark.parametrize("shape", [DEFAULT_SHAPE, pytest.param(NO_POOL, id="control")])
def test_no_memory_of_a_pool_is_reserved_for_a_crash_kernel(
    booted_guest: Guest, shape: str
) -> None:
    """A place that the command line asks for is refused if a part of it is a pool's."""
    reserved = int(shell(booted_guest, "cat /sys/kernel/kexec_crash_size"))

    wanted = CRASH.size if shape == NO_POOL else 0
    equal(reserved, wanted, f"bytes reserved for a crash kernel at {CRASH}")


@pytest.mark.property("F5")
@pytest.mark.parametrize("append", [second_kernel.NO_LPIS])
def test_the_next_kernel_sets_up_the_pool_anew(doubled: Guest, guests: Guests, pool: Pool) -> None:
    """It clears the pool, gives it to the devices that have it, and uses it."""
    probe = Probe(doubled.agent)
    source = probe.buffer(SIZE)
    source.fill(STALE)
    before = probe.device("probe-a").map_single(source, Direction.TO_DEVICE)
    second_kernel.load_next(doubled)
    with live_memory(doubled) as memory:
        same_bytes(memory, before.phys, STALE.content(0, SIZE))

        second_kernel.start_next(doubled)

        same_bytes(memory, before.phys, bytes(SIZE))
    equal(assigned(doubled, "probe-a"), pool.name, "the pool that the kernel log assigns to it")
    slots_used(PoolCounters(doubled.agent, pool.name), 0)
    probe = Probe(doubled.agent)
    source = probe.buffer(SIZE)
    source.fill(CPU)
    with probe.device("probe-a").map_single(source, Direction.TO_DEVICE) as mapping:
        in_pool(mapping, pool)
        holds(mapping.device_side, CPU)
    guests.discard(doubled)  # the image of the first kernel is in RAM too, and would be examined
