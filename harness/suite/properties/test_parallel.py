# SPDX-License-Identifier: Apache-2.0
"""Properties F2 and F7: devices attached at the same time, and CPU hotplug."""

import pytest

from harness.devices.probe import Attr, Device, Direction, MapCall, Probe, StressCalls, calls
from harness.devices.shell import shell
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes
from harness.plugin.counters import PoolCounters
from harness.suite.lib.attached import allocator_of, assigned
from harness.suite.lib.expect import apart, equal, in_pool, require, slots_used

DEVICES = ("probe-a", "probe-b", "probe-c", "probe-d")

AT_ONCE = pytest.mark.parametrize(
    ("shape", "cpus", "append"),
    [("pool-platforms", 4, "driver_async_probe=restricted-dma-probe-node")],
    ids=["at once"],
)
"""Four devices whose driver is probed asynchronously (PROBE_PREFER_ASYNCHRONOUS); they are the
first devices of the pool."""

ONE_BY_ONE = pytest.mark.parametrize("shape", ["pool-platforms"])

CPUS, LEAVING = 4, 3
ROUNDS, RUNS, MAPPINGS = 4, 100, 8
STRESS_TIMEOUT = 120.0

SIZE = 2 * SLOT
"""Bytes of a mapping."""


def check_shared(probe: Probe, types: KernelTypes) -> None:
    """The devices have one io_tlb_mem, and their live mappings do not overlap."""
    buffer = probe.buffer(SIZE)
    live = [probe.device(name).map_single(buffer, Direction.TO_DEVICE) for name in DEVICES]

    apart(live, SIZE)
    allocators = {allocator_of(types, name) for name in DEVICES}
    require(len(allocators) == 1, "one io_tlb_mem", ", ".join(map(hex, sorted(allocators))))


@pytest.mark.property("F2")
@AT_ONCE
def test_devices_attached_at_once_all_get_the_pool(guest: Guest, probe: Probe, pool: Pool) -> None:
    """The kernel restricts all devices that are attached to a new pool at the same time."""
    buffer = probe.buffer(SIZE)

    for name in DEVICES:
        equal(assigned(guest, name), pool.name, f"the pool that the kernel log assigns to {name}")
        with probe.device(name).map_single(buffer, Direction.TO_DEVICE) as mapping:
            in_pool(mapping, pool)


@pytest.mark.property("F2", "B7", "E1")
@pytest.mark.finding("attach-race", kernels=">=5.15", sometimes="the devices race")
@AT_ONCE
def test_devices_attached_at_once_share_the_pool(probe: Probe, types: KernelTypes) -> None:
    """The kernel never gives the same memory to devices attached to a pool at the same time."""
    check_shared(probe, types)


@pytest.mark.property("F2", "B7", "E1")
@ONE_BY_ONE
def test_devices_attached_one_by_one_share_the_pool(probe: Probe, types: KernelTypes) -> None:
    """The kernel never gives the same memory to devices attached one after the other."""
    check_shared(probe, types)


def mapping_work(guest: Guest, device: Device, cpu: int) -> StressCalls:
    """Map and unmap repeatedly, in the CPU's own context of the probe."""
    buffer = Probe(guest.agent, context=1 + cpu).buffer(SIZE)
    place = (MapCall.SINGLE, buffer.handle, 0, SIZE, Direction.TO_DEVICE, Attr.DEFAULT)
    maps = [calls.map_buffer(handle, device.id, *place) for handle in range(MAPPINGS)]
    unmaps = [calls.unmap(handle) for handle in range(MAPPINGS)]
    return StressCalls(cpu, RUNS, 1 + cpu, [*maps, *unmaps])


@pytest.mark.property("F7")
@pytest.mark.parametrize("cpus", [CPUS])
def test_cpus_that_come_and_go_change_nothing(
    guest: Guest, device: Device, probe: Probe, pool: Pool, counters: PoolCounters
) -> None:
    """While a CPU goes offline and online, the others map and unmap, and no slot is lost."""
    switch = f"/sys/devices/system/cpu/cpu{LEAVING}/online"
    cycle = f"for turn in $(seq {ROUNDS}); do echo 0 > {switch}; echo 1 > {switch}; done"
    work = [mapping_work(guest, device, cpu) for cpu in range(LEAVING)]

    shell(guest, f"mkfifo /tmp/over; ({cycle}; echo over > /tmp/over) > /dev/null 2>&1 &")
    done = probe.stress(work, STRESS_TIMEOUT)
    shell(guest, "cat /tmp/over")

    equal([worked.runs for worked in done], [RUNS] * LEAVING, "finished runs of each CPU")
    slots_used(counters, 0)
    (back,) = probe.stress([mapping_work(guest, device, LEAVING)], STRESS_TIMEOUT)
    equal(back.runs, RUNS, f"finished runs of CPU {LEAVING}")
    in_pool(back.outcomes[:MAPPINGS], pool, SIZE)


@pytest.mark.property("F7")
@pytest.mark.parametrize("cpus", [CPUS])
def test_what_a_cpu_mapped_can_be_unmapped_without_it(
    guest: Guest, device: Device, probe: Probe, counters: PoolCounters
) -> None:
    """Mappings made on a CPU that went offline can be unmapped on another CPU."""
    work = mapping_work(guest, device, LEAVING)
    probe.stress([StressCalls(LEAVING, 1, work.context, work.calls[:MAPPINGS])], STRESS_TIMEOUT)
    slots_used(counters, MAPPINGS * SIZE // SLOT)

    shell(guest, f"echo 0 > /sys/devices/system/cpu/cpu{LEAVING}/online")
    offline = guest.agent.read_file("/sys/devices/system/cpu/offline").strip()
    equal(offline, b"%d" % LEAVING, "offline CPUs")
    probe.stress([StressCalls(0, 1, work.context, work.calls[MAPPINGS:])], STRESS_TIMEOUT)

    slots_used(counters, 0)
