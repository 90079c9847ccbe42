# SPDX-License-Identifier: Apache-2.0
"""PCI configuration space from outside the guest, through ECAM.

Offsets and bits: PCI Local Bus Specification 3.0, chapter 6 and 6.8.1 (MSI); PCI-to-PCI Bridge
Architecture Specification 1.2, 3.2.5. ECAM: PCI Express Base Specification, 7.2.2.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from harness.base.errors import QemuError
from harness.machine.devicetree import Devicetree
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.devicetree.tree import Tree
from harness.machine.qemu.qtest import Qtest


class ConfigRegister(IntEnum):
    """Offsets in configuration space."""

    ID = 0x00
    COMMAND = 0x04
    STATUS = 0x06
    BAR0 = 0x10
    SECONDARY_BUS = 0x19
    CAPABILITIES = 0x34


class Command(IntFlag):
    """Bits of the command register."""

    MEMORY = 1 << 1
    BUS_MASTER = 1 << 2


class Msi(IntEnum):
    """Offsets in a 64-bit MSI capability."""

    CONTROL = 0x02
    ADDRESS_LOW = 0x04
    ADDRESS_HIGH = 0x08
    DATA = 0x0C


MSI_CAPABILITY = 0x05
MSI_ENABLE = 1 << 0
BAR_FLAGS = 0xF


@dataclass(frozen=True)
class Bdf:
    """Bus, device and function number; prints as Linux names the device."""

    bus: int
    device: int
    function: int = 0

    def __str__(self) -> str:
        return f"0000:{self.bus:02x}:{self.device:02x}.{self.function}"

    @property
    def offset(self) -> int:
        """The offset of its configuration space in ECAM."""
        return self.bus << 20 | self.device << 15 | self.function << 12


def ecam_base(devicetree: Devicetree) -> int:
    """The base of the host bridge's configuration window; it depends on the size of RAM."""
    bridge = Tree(devicetree.blob).find(HOST_BRIDGE)
    if bridge is None:
        raise QemuError(f"the devicetree has no {HOST_BRIDGE}; is the machine a 'virt' board?")
    return bridge.cells("reg", 2)[0]


class ConfigSpace:
    """The configuration space of one function; *ecam* is the window's guest-physical base."""

    def __init__(self, qtest: Qtest, ecam: int, bdf: Bdf) -> None:
        self._qtest, self._base = qtest, ecam + bdf.offset
        self.bdf = bdf

    def read(self, offset: int, width: int) -> int:
        """Read *width* bytes; all ones where no device is, or its slot has no power."""
        return self._qtest.read_register(self._base + offset, width)

    def write(self, offset: int, width: int, value: int) -> None:
        """Write *width* bytes."""
        self._qtest.write_register(self._base + offset, width, value)

    def bar0(self) -> int:
        """The guest-physical address of BAR 0; 0 until the guest has assigned one."""
        return self.read(ConfigRegister.BAR0, 4) & ~BAR_FLAGS

    def set_command(self, bits: Command, on: bool) -> None:
        """Set or clear bits of the command register."""
        old = self.read(ConfigRegister.COMMAND, 2)
        self.write(ConfigRegister.COMMAND, 2, old | bits if on else old & ~bits)

    def capability(self, wanted: int) -> int:
        """The offset of capability *wanted*; raises QemuError when the function has none."""
        offset = self.read(ConfigRegister.CAPABILITIES, 1)
        while offset:
            kind, following = self.read(offset, 1), self.read(offset + 1, 1)
            if kind == wanted:
                return offset
            offset = following
        raise QemuError(f"PCI function {self.bdf} has no capability {wanted:#x}")
