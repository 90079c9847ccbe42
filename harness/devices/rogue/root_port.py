# SPDX-License-Identifier: Apache-2.0
"""Root ports: hot-plug a device into a running guest, and unplug it."""

import json
from collections.abc import Mapping

from harness.base.errors import QemuError
from harness.devices.rogue.pci import Bdf, ConfigRegister, ConfigSpace, ecam_base
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.journal import Act

PLUG_TIMEOUT = 30.0
"""Seconds for the guest to notice and enumerate a device; measured: 0.2."""

UNPLUG_TIMEOUT = 30.0
"""Seconds for the guest to release a device and switch its slot off; measured: 1.1."""


class RootPort:
    """Root port number *port* of a running guest."""

    def __init__(self, guest: Guest, port: int) -> None:
        self._guest, self._port = guest, port
        self._ecam = ecam_base(guest.machine.devicetree)
        bridge = ConfigSpace(guest.qtest, self._ecam, Bdf(0, port + 1))
        self.bdf = Bdf(bridge.read(ConfigRegister.SECONDARY_BUS, 1), 0)
        """The address of the device in it on the guest's PCI bus."""

    @property
    def config(self) -> ConfigSpace:
        """The configuration space of the device in it."""
        return ConfigSpace(self._guest.qtest, self._ecam, self.bdf)

    def plug(self, device: Mapping[str, object], bound: str = "bound to the probe") -> None:
        """Plug in QEMU's *device*; return when the console says of it what *bound* matches.

        The probe binds last: before that, Linux still writes the command register. Raises the
        guest's ending, or GuestHang when the guest does not enumerate the device.
        """
        mark = self._guest.console.mark
        self._guest.agent.journal.record(Act("plug", json.dumps(dict(device)), self._port))
        self._guest.monitor.execute("device_add", {**device, "bus": f"rp{self._port}"})
        self._guest.console.wait_for(rf"{self.bdf}: {bound}", PLUG_TIMEOUT, since=mark)

    def unplug(self, name: str) -> None:
        """Switch the slot off as a person would, and wait until QEMU's device *name* is gone.

        ``device_del`` takes five seconds more, in which the guest waits for a second button press
        (drivers/pci/hotplug/pciehp_ctrl.c:pciehp_handle_button_press, 6.12).
        """
        begin = self._guest.monitor.mark
        command = f"echo 0 > /sys/bus/pci/slots/{self._port + 1}/power"
        ran = self._guest.agent.run(command, UNPLUG_TIMEOUT)
        if ran.status != 0:
            raise QemuError(f"slot {self._port + 1} did not go off: '{command}' said {ran.text}")
        self._guest.monitor.wait_event(
            "DEVICE_DELETED",
            timeout=UNPLUG_TIMEOUT,
            match=lambda event: event["data"].get("device") == name,
            since=begin,
        )
