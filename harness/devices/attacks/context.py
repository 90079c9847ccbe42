# SPDX-License-Identifier: Apache-2.0
"""Context of a running attack: the guest, the rogue, and the memory to attack."""

import secrets
from dataclasses import dataclass

import drgn

from harness.base.errors import InputError
from harness.devices.probe import Buffer, Device, Mapping, Probe
from harness.devices.rogue import Rogue
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, KnownTypes, LiveMemory, find

SECRET_SIZE = 32
VICTIM = "probe-a"
"""The device of another driver (dts/probes.dtso); with a pool it has the rogue's."""


@dataclass(frozen=True)
class Context:
    """A running guest with a rogue in root port 0, seen from outside by *memory* and *types*.

    Its *probe* makes DMA API calls, as other drivers do.
    """

    guest: Guest
    rogue: Rogue
    memory: LiveMemory
    known_types: KnownTypes
    probe: Probe

    @property
    def types(self) -> KernelTypes:
        """The types of the guest's kernel; NoDebugInformation for one that has none."""
        return self.known_types.on(self.guest.machine.kernel, self.memory)

    @property
    def driver(self) -> Device:
        """The probe device that maps buffers: the rogue itself if the probe has it, else VICTIM."""
        own = str(self.rogue.bdf)
        devices = {device.name: device for device in self.probe.devices()}
        return devices.get(own) or devices[VICTIM]

    @property
    def page(self) -> int:
        """Bytes of a page of the guest's kernel."""
        return self.types.page_size

    @property
    def pools(self) -> tuple[Pool, ...]:
        """The guest's pools."""
        return self.guest.pools()

    def in_pool(self, address: int) -> bool:
        """Whether *address* lies in any pool."""
        return any(pool.contains(address) for pool in self.pools)

    def landing(self, mapping: Mapping, buffer: Buffer) -> int:
        """Where in RAM a device's write to *mapping*, of the start of *buffer*, would arrive."""
        return mapping.phys if self.in_pool(mapping.phys) else buffer.phys

    def phys(self, thing: drgn.Object) -> int:
        """The guest-physical address of a kernel object."""
        address = thing.address_
        assert address is not None, "an object in memory has an address"
        return self.types.phys(address)

    def secret_file(self, path: str = "/tmp/secret") -> tuple[bytes, int]:
        """A file of one page full of a fresh secret, and where in RAM the page cache has it."""
        secret = secrets.token_bytes(SECRET_SIZE)
        page = secret * (self.page // SECRET_SIZE)
        self.guest.agent.write_file(path, page)
        for place in find(self.memory, page):
            if place % self.page == 0:
                return secret, place
        raise InputError(f"the content of {path} is in no page of RAM")

    def sh(self, command: str) -> str:
        """The output of a shell command in the guest, without the last newline."""
        return self.guest.agent.run(command).text.rstrip("\n")
