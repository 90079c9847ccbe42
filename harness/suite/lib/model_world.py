# SPDX-License-Identifier: Apache-2.0
"""Guests for the runs of the model: one guest is used until it stays broken."""

from harness.base.errors import GuestError
from harness.base.violation import PropertyViolated
from harness.devices.probe import Probe
from harness.devices.rogue import EduRogue
from harness.machine.devicetree import Pool
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory, live_memory
from harness.plugin.guests import Guests
from harness.suite.lib.model_driver import Driver


class World:
    """Provides drivers on a guest of *machine*, each with a new script.

    *failure* is the last failure, None if there was none.
    """

    def __init__(self, guests: Guests, machine: Machine) -> None:
        self._guests = guests
        self._machine = machine
        self._guest: Guest | None = None
        self._memory: LiveMemory | None = None
        self._devices: dict[str, tuple[str, Pool]] = {}
        self._driver: Driver | None = None
        self.failure: Exception | None = None

    def driver(self) -> Driver:
        """A driver in a guest without a failure."""
        if self._driver is None:
            self._driver = self._reused() or self._restored()
        self._driver.begin()
        return self._driver

    def record_failure(self, failure: Exception) -> None:
        """Record a failure; before the next run, check whether the guest is still broken."""
        self.failure = failure
        self._driver = None

    def close(self) -> None:
        """Close the guest's memory."""
        if self._memory is not None:
            self._memory.close()

    def _reused(self) -> Driver | None:
        """A driver on the same guest, if everything can be unmapped there; None otherwise."""
        if self._guest is None or self._guest.ending is not None:
            return None
        try:
            Probe(self._guest.agent).reset()
            return self._ready(self._guest)
        except (PropertyViolated, GuestError):
            return None

    def _restored(self) -> Driver:
        """A driver on a new guest."""
        self.close()
        if self._guest is not None:
            self._guests.discard(self._guest)
        guest = self._guest = self._guests.restored(self._machine)
        self._memory = live_memory(guest)
        self._devices = _devices(guest)
        return self._ready(guest)

    def _ready(self, guest: Guest) -> Driver:
        assert self._memory is not None, "opened with the guest"
        driver = Driver(guest, self._memory, self._devices)
        with driver.noting_script():
            driver.rewind()
            driver.count()
        return driver


def _devices(guest: Guest) -> dict[str, tuple[str, Pool]]:
    """Every device that has a pool: name in scripts -> name in sysfs, and pool."""
    pools = {user: pool for pool in guest.machine.devicetree.pools for user in pool.users}
    devices = {
        path.strip("/").replace("-", "_"): (path.strip("/"), pools[path])
        for path in ("/probe-a", "/probe-b")
        if path in pools
    }
    if HOST_BRIDGE in pools:
        devices["endpoint"] = (str(EduRogue(guest).bdf), pools[HOST_BRIDGE])
    return devices
