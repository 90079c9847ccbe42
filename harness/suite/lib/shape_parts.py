# SPDX-License-Identifier: Apache-2.0
"""The parts of a shape that tests of any shape are about, before a guest boots with it."""

import functools
from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.devices.drivers import DRIVERS, Driver, EntropyWork, built_in
from harness.jobs.check.check_machine import pools_of
from harness.kernel import Kernel
from harness.machine.binary import find_qemu
from harness.machine.devicetree import Devicetree
from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.model import (
    DevicePrediction,
    KernelVersion,
    Prediction,
    Restriction,
    predict,
)
from harness.machine.devicetree.model.environment import NEWEST
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.shape import shaped_devicetree
from harness.machine.virtio import TRANSPORTS, VirtioDevice
from harness.suite.lib.shape_users import INHERITING, user_paths

LITTLE_ROOM, ROOM, LARGE_ROOM = 64 << 10, 2 << 20, 8 << 20
"""Bytes of a pool in which a driver can work: one that only fills a few pages, any other, and a
virtio disk with larger requests (docs/findings.md, virtio-blk-retries-for-ever)."""


@dataclass(frozen=True)
class ShapeParts:
    """A shape on a machine, what is predicted of it, and the drivers that the kernel has."""

    devicetree: Devicetree
    prediction: Prediction
    has: tuple[Driver, ...]

    def users(self) -> tuple[str, ...]:
        """The paths of the devices that the probe drives."""
        return user_paths(self.prediction)

    def transports(self) -> tuple[VirtioDevice, ...]:
        """A virtio-rng for each virtio-mmio transport that refers to memory."""
        every = (VirtioDevice("rng", number) for number in range(TRANSPORTS))
        return tuple(one for one in every if one.node in self.users())

    def drivers(self) -> tuple[Driver, ...]:
        """The drivers whose device, in root port 0, can work in the pool that it has there."""
        found = self._in_first_port()
        if found is None or found.outcome is not Restriction.RESTRICTED or found.pool is None:
            return ()
        # a fence's window has an address, and QEMU's host bridge translates none
        there = found.reach.address(found.pool.place)
        if found.pool.dynamic or there != found.pool.base:
            return ()
        return tuple(one for one in self.has if found.pool.size >= self._room(one))

    def _room(self, driver: Driver) -> int:
        if driver.work is EntropyWork:
            return LITTLE_ROOM
        larger = self.prediction.kernel.has("larger-requests")
        return LARGE_ROOM if larger and driver.name == "virtio-blk" else ROOM

    def windows(self) -> tuple[AddressRange, ...]:
        """What a fence around the pools of PCI devices lets them access."""
        pools = pools_of(self.devicetree.pools)
        return tuple(AddressRange(pool.base, pool.size) for pool in pools)

    def _in_first_port(self) -> DevicePrediction | None:
        by_path = {one.path: one for one in self.prediction.devices}
        return by_path.get(f"{HOST_BRIDGE}/pcie@1,0/device@0,0") or by_path.get(INHERITING)


@functools.cache
def parts_of_shape(
    qemu: str, shape: str, ram_size: int, kernel: Kernel | None = None
) -> ShapeParts:
    """The parts of *shape*, as *kernel* is predicted to see it."""
    devicetree = shaped_devicetree(find_qemu(qemu), shape, ram_size=ram_size)
    version = KernelVersion.parse(kernel.release if kernel else NEWEST)
    found = predict(read_blob(devicetree.blob), version)
    return ShapeParts(devicetree, found, built_in(kernel) if kernel else DRIVERS)
