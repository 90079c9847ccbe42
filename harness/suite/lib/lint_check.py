# SPDX-License-Identifier: Apache-2.0
"""Boot the kernel on devicetrees, and compare what it makes of them with the lint's prediction."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis.internal.conjecture import engine

from harness.base.errors import GuestCrash, GuestHang
from harness.jobs.board import DIFFERS
from harness.machine.devicetree import Devicetree
from harness.machine.devicetree.lint import Fault
from harness.machine.devicetree.model import DevicePrediction, Prediction, Restriction, Rule
from harness.machine.devicetree.model.devices import Bus
from harness.machine.devicetree.model.prediction import given_unmapped
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.machine.transfer.stand_ins import PROBE
from harness.machine.virtio import VirtioDevice
from harness.observe.memory import KnownTypes, live_memory
from harness.plugin.guests import Guests
from harness.suite.lib.expect.wording import violation_of
from harness.suite.lib.lint_reality import differences, predict_loaded
from harness.suite.lib.lint_trees import ENTROPY, MadeTree, text_of, trees

MAY_OOPS = ("no-map-part-of-page", "refused-unmapped", "freed-by-refused", "overlap")
"""Rules by which the kernel uses memory that it must not: whether it survives that is luck."""

DRIVEN = (PROBE, "virtio,mmio")
"""Platform devices for which the guest has a driver."""

SHRINKING = 60
"""Seconds that a difference is shrunk for; a boot takes one."""

LOAD_TIMEOUT = 120.0
"""Seconds for FILL, which takes 0.2 on an idle machine."""

DISK = VirtioDevice("blk", 31, access_platform=False)
"""What the kernel reads into the memory that it has, without a pool."""

FILL = """
echo 0 > /proc/sys/vm/watermark_boost_factor
mount -t tmpfs -o size=100% fill /root
while read -r name size unit; do [ "$name" = MemFree: ] && free=$size; done < /proc/meminfo
count=$((free * 9 / 10 / 1024))
[ $count -gt 1024 ] && count=1024
dd if=/dev/zero of=/root/fill bs=1M count=$count 2>/dev/null
umount /root
"""
"""Use nine tenths of the free memory once, or 1 GiB.

When blocks of pages break up, the kernel holds back a whole block more for some time
(vm.watermark_boost_factor); of 16 KiB pages that is 32 MiB, more than the last tenth.
"""


@dataclass(frozen=True)
class TreeCheck:
    """What was predicted for a devicetree, and how the kernel differs from it.

    *ended*: the guest did not boot, or died when its memory was used up.
    """

    prediction: Prediction
    faults: tuple[Fault, ...]
    differences: tuple[str, ...]
    ended: bool = False

    @property
    def shows_finding(self) -> bool:
        """Whether a known finding is predicted to show, which a patch may repair."""
        return any(one.rule.finding for one in self.faults)


@dataclass(frozen=True, eq=False)
class TreeChecker:
    """Boots *machine* on devicetrees that are made on top of QEMU's *base*."""

    guests: Guests
    machine: Machine
    base: bytes
    known_types: KnownTypes

    def check(self, made: MadeTree) -> TreeCheck:
        """Boot on *made*, use up the memory, and compare."""
        guest = self.stopped(made)
        try:
            return check_guest(guest, self.known_types)
        finally:
            self.guests.discard(guest)

    def booted(self, made: MadeTree) -> Guest:
        """A guest that has booted on *made*; raises GuestCrash or GuestHang if it does not."""
        guest = self.stopped(made)
        guest.resume()
        guest.wait_ready()
        return guest

    def stopped(self, made: MadeTree) -> Guest:
        """A guest with that devicetree, a disk and entropy, before its first instruction."""
        devicetree = Devicetree(made.blob(self.base), (), (), ())
        machine = replace(self.machine, devicetree=devicetree, virtio=(ENTROPY, DISK))
        return self.guests.stopped(machine)


def check_guest(guest: Guest, known_types: KnownTypes) -> TreeCheck:
    """Boot *guest*, which has not run, use up its memory, and compare with the prediction."""
    with live_memory(guest) as memory:
        predicted = predict_loaded(guest, memory)
        found, faults = predicted.prediction, predicted.faults()
        fatal = _fatal(found, guest.machine.ports)
        lucky = any(one.rule.name in MAY_OOPS for one in faults)
        try:
            guest.resume()
            guest.wait_ready()
            types = known_types.on(guest.machine.kernel, memory)
            seen = [] if fatal else [*differences(found, guest, types)]
            guest.agent.run(FILL, LOAD_TIMEOUT)
            seen += _disk_differences(guest)
        except (GuestCrash, GuestHang) as end:
            seen = [] if fatal or lucky else [f"it does not boot, or dies under load: {end}"]
            return TreeCheck(found, faults, tuple(seen), ended=True)
        expected = fatal or (found.fatal_later if _is_used_up(found) else None)
        if expected:
            seen.append(f"it boots and survives; predicted: {expected.name}")
        return TreeCheck(found, faults, tuple(seen))


def _disk_differences(guest: Guest) -> Iterator[str]:
    """Whether the kernel reads from DISK, if it is there, what is on it, to its end."""
    if DISK in guest.machine.virtio and guest.agent.read_file("/dev/vda") != guest.disk_content:
        yield "the kernel reads something else from its disk than is on it"


def _is_used_up(found: Prediction) -> bool:
    """Whether FILL cannot avoid the memory that the kernel gives away but cannot access."""
    given = sum(one.size for one in given_unmapped(found.regions))
    ram = sum(one.size for one in found.regions.memory.ram.ranges())
    return given > ram // 10


def _fatal(found: Prediction, ports: int) -> Rule | None:
    """By which rule a machine does not boot that has the functions of *ports* root ports."""
    present = [f"{HOST_BRIDGE}/pcie@{port + 1},0" for port in range(ports)]
    ends = (
        one.rule
        for one in found.devices
        if one.outcome is Restriction.NO_BOOT and (one.path in present or _has_driver(one))
    )
    return found.fatal_early or next(ends, None)


def _has_driver(one: DevicePrediction) -> bool:
    """Whether the guest has a driver for a device that is not a function with a node.

    Every kernel with devicetrees has that of buses (drivers/bus/Makefile).
    """
    built_in = one.device.bus in (Bus.PCI_HOST, Bus.PCI_REST) or one.device.is_plain_bus
    return built_in or any(map(one.device.node.is_compatible, DRIVEN))


def check_trees(checker: TreeChecker, start: int, examples: int) -> None:
    """Check *examples* devicetrees from the seed *start* on; a difference is shrunk and raised.

    The lint predicts unpatched kernels: what a finding decides says nothing of a patched one.
    """
    patched = bool(checker.machine.kernel.series)
    engine.MAX_SHRINKING_SECONDS = SHRINKING

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
    )
    @given(trees())
    def check(made: MadeTree) -> None:
        got = checker.check(made)
        if got.differences and not (patched and got.shows_finding):
            raise violation_of(
                DIFFERS,
                f"as predicted for\n{text_of(made)}",
                "\n".join(got.differences),
            )

    check()
