# SPDX-License-Identifier: Apache-2.0
"""The devices of any machine's shape that the probe drives, and what is predicted of each."""

from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.devices.probe import Device, Mapped, Probe, Slice
from harness.devices.rogue import EduRogue
from harness.devices.shell import shell
from harness.machine.devicetree import Pool
from harness.machine.devicetree.flat import FlatNode, FlatTree
from harness.machine.devicetree.model import DevicePrediction, Prediction, Restriction
from harness.machine.devicetree.model.devices import REGION, Bus
from harness.machine.devicetree.model.dma_ranges import Reach
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.qemu.guest import Guest
from harness.machine.transfer.stand_ins import PROBE, VIRTIO_MMIO
from harness.observe.memory import LiveMemory
from harness.suite.lib.expect import equal, require, within
from harness.suite.lib.smoke import (
    SIZE,
    bounce,
    check_nothing_fits,
    check_restricted,
    check_unrestricted,
    measured,
)

NODE_DRIVER = "restricted-dma-probe-node"
"""The probe's driver of platform devices (guest/probe/drivers.c)."""

UNRESTRICTED = (Restriction.UNRESTRICTED, Restriction.COHERENT)
"""What is predicted of devices that get a buffer's own address."""

TRIES = 64
"""Mappings of a page that are tried in a pool that a device reaches in part."""

INHERITING = f"{HOST_BRIDGE}/*"
"""The path of PCI endpoints without a node."""


def user_paths(found: Prediction) -> tuple[str, ...]:
    """The paths of all devices of a machine that the probe can drive, or of which there is none.

    Endpoints without a node are among them if anything says what they get.
    """
    pci = [one.device for one in found.devices if _is_pci(one)]
    shared = any(_names_region(one.configured_by) or _names_region(one.node) for one in pci)
    return tuple(
        one.path
        for one in found.devices
        if one.device.node.is_compatible(PROBE)
        or (one.path == INHERITING and shared)
        or (_names_region(one.device.node) and not _is_bridge(one))
    )


def _names_region(node: FlatNode) -> bool:
    return REGION in node.properties


def _is_pci(one: DevicePrediction) -> bool:
    return one.device.bus in (Bus.PCI, Bus.PCI_REST)


def _is_bridge(one: DevicePrediction) -> bool:
    """Whether it is the host bridge or a root port, which have drivers of their own."""
    return one.device.bus is Bus.PCI_HOST or "device_type" in one.device.node.properties


@dataclass(frozen=True)
class ShapeUser:
    """A device by the *path* of its node, in a guest with this *tree*, and its *prediction*."""

    guest: Guest
    probe: Probe
    tree: FlatTree
    prediction: DevicePrediction

    @property
    def path(self) -> str:
        """The path of its node."""
        return self.prediction.path

    def check(self, memory: LiveMemory) -> None:
        """The properties that hold for a device of which this is predicted."""
        device = self.device()
        outcome = self.prediction.outcome
        if outcome is Restriction.NO_DEVICE:
            equal(device, None, f"the device of {self.path}")
            return
        require(device is not None, f"a device of {self.path}", "none")
        assert device is not None, "require() raises"
        if outcome is Restriction.RESTRICTED:
            self.check_restricted(device, memory)
        elif outcome is Restriction.PART:
            self.check_part(device)
        elif outcome is Restriction.UNFIT:
            check_nothing_fits(device, self.probe, self.guest.machine.geometry.page)
        elif outcome in UNRESTRICTED and self._reaches_ram():
            check_unrestricted(device, self.probe)

    def check_restricted(self, device: Device, memory: LiveMemory) -> None:
        """The main properties, and the pool is where the device finds it by the dma-ranges."""
        base = self.reach.address(self.pool)
        assert base is not None, "else it is predicted that nothing, or not all, fits"
        seen = AddressRange(base, self.pool.size)
        check_restricted(self.guest, device, self.probe, memory, self.pool, seen)
        size = min(SIZE, measured(self.guest, self.pool).largest_mapping)
        mapping = bounce(device, self.probe, memory, self.pool, size)
        there = self.reach.address(AddressRange(mapping.phys, size))
        equal(mapping.dma_addr, there, "the address of the mapping for the device")

    def check_part(self, device: Device) -> None:
        """What is mapped lies in the part of the pool that the device reaches."""
        page = self.guest.machine.geometry.page
        tries = [Slice(self.probe.buffer(page), 0, page)] * TRIES
        mapped = [one for one in device.try_each(tries) if isinstance(one, Mapped)]
        require(bool(mapped), "a mapping", "none")
        for one in mapped:
            place = AddressRange(one.phys, page)
            within([place], self.pool, "a mapping")
            there = self.reach.address(place)
            equal(one.dma_addr, there, "the address of the mapping for the device")

    @property
    def pool(self) -> Pool:
        """The restricted pool that is predicted for it."""
        region = self.prediction.pool
        assert region is not None
        assert region.base is not None
        return Pool(region.base, region.size, region.name, "", (self.path,))

    @property
    def reach(self) -> Reach:
        """The memory that it reaches by the dma-ranges above it."""
        return self.prediction.reach

    def device(self) -> Device | None:
        """The device, bound to the probe; None if the kernel has made none."""
        if _is_pci(self.prediction):
            return self._plugged()
        if self.prediction.device.node.is_compatible(VIRTIO_MMIO):
            self._take_transport()
        return next((one for one in self.probe.devices() if one.of_path == self.path), None)

    def _plugged(self) -> Device:
        """A device in the root port that the node is below, or in one without nodes."""
        rogue = EduRogue(self.guest, self._port())
        return self.probe.device(str(rogue.bdf))

    def _port(self) -> int:
        if self.path != INHERITING:
            port = self.prediction.device.node.parent
            assert port is not None
            return (port.cell("reg", 0) >> 11) - 1
        return _free_ports(self.guest, self.tree)[0]

    def _take_transport(self) -> None:
        """Let the probe drive the transport, on which there is no virtio device."""
        name = f"{self.path.partition('@')[2]}.virtio_mmio"
        shell(
            self.guest,
            f"cd /sys/bus/platform && [ -e devices/{name} ] || exit 0; "
            f"echo {NODE_DRIVER} > devices/{name}/driver_override && "
            f"echo {name} > drivers/{NODE_DRIVER}/bind",
        )

    def _reaches_ram(self) -> bool:
        """Whether it reaches all RAM by its dma-ranges, so that the kernel need not bounce."""
        return all(self.reach.address(one) is not None for one in self.guest.machine.blocks)


def users_of_guest(
    guest: Guest, probe: Probe, tree: FlatTree, found: Prediction, path: str = ""
) -> tuple[ShapeUser, ...]:
    """The devices of a guest that the probe can drive, or the one at *path*.

    There is no endpoint without a node if all root ports have nodes for theirs.
    """
    wanted = {path} if path else set(user_paths(found))
    if not _free_ports(guest, tree):
        wanted.discard(INHERITING)
    return tuple(ShapeUser(guest, probe, tree, one) for one in found.devices if one.path in wanted)


def _free_ports(guest: Guest, tree: FlatTree) -> tuple[int, ...]:
    """The root ports whose endpoints have no node."""
    bridge = tree.find(HOST_BRIDGE)
    below = bridge.children if bridge else ()
    taken = {(node.cell("reg", 0) >> 11) - 1 for node in below if node.children}
    return tuple(port for port in range(guest.machine.ports) if port not in taken)
