# SPDX-License-Identifier: Apache-2.0
"""QEMU's ``edu`` device as a rogue: a PCI bus master that reads and writes where it is told.

The harness drives it from outside through qtest; no driver in the guest knows. Registers and
limits: QEMU, hw/misc/edu.c and docs/specs/edu.rst. The device copies between RAM and a buffer
of its own, which nothing but its DMA can reach, so a read takes two transfers: RAM to buffer,
buffer to the scratch region, which is no-map reserved memory that the kernel never touches.
"""

from enum import IntEnum, IntFlag

from harness.base.errors import ProtocolError
from harness.devices.rogue.journal import note
from harness.devices.rogue.pci import MSI_CAPABILITY, MSI_ENABLE, Command, Msi
from harness.devices.rogue.root_port import RootPort
from harness.devices.rogue.scratch import scratch_for
from harness.machine.qemu.guest import Guest


class Edu(IntEnum):
    """Register offsets in BAR 0."""

    RAISE_INTERRUPT = 0x60
    LOWER_INTERRUPT = 0x64
    DMA_SOURCE = 0x80
    DMA_TARGET = 0x88
    DMA_COUNT = 0x90
    DMA_COMMAND = 0x98


class Dma(IntFlag):
    """Bits of the DMA command register."""

    RUN = 1 << 0
    TO_RAM = 1 << 1


BUFFER = 0x40000
"""The address of the device's own buffer in its address space (edu.c, DMA_START)."""

LARGEST = 4095
"""Bytes of one transfer; QEMU 7.2 aborts at 4096 (edu.c, edu_check_range)."""

DURATION = 0.1
"""Seconds of virtual time that a transfer takes (edu.c, edu_mmio_write arms a timer)."""

COMPLETION_TIMEOUT = 10.0
"""Seconds for a transfer on a busy host; the virtual clock follows the host's."""

ALL_ADDRESSES = (1 << 64) - 1
"""The device's default mask of 28 bits holds no RAM of the ``virt`` board at all."""


class EduRogue:
    """One ``edu``, plugged into an empty root port of a running guest."""

    def __init__(self, guest: Guest, port: int = 0) -> None:
        """Plug it in and wait until the guest's probe driver is bound to it.

        Raises the guest's ending, or GuestHang when the guest does not enumerate it.
        """
        self._guest = guest
        self._qtest = guest.qtest
        self.name = f"rogue{port}"
        self._slot = RootPort(guest, port)
        self.bdf, self.config = self._slot.bdf, self._slot.config
        self._slot.plug({"driver": "edu", "id": self.name, "dma_mask": ALL_ADDRESSES})
        self._bar = self.config.bar0()
        self._scratch = scratch_for(guest, self.bdf)
        self.config.set_command(Command.MEMORY, on=True)
        self.set_bus_master(True)

    def set_bus_master(self, on: bool) -> None:
        """Switch bus mastering, without which PCI lets no DMA of the device through."""
        self.config.set_command(Command.BUS_MASTER, on)

    def read(self, address: int, size: int) -> bytes:
        """Read *size* bytes of guest-physical memory by DMA; 0.2 s for each 4095 bytes.

        What a fence refuses reads as whatever the device's buffer held before: zeros at first.
        """
        note(self._guest, self.name, "read", address, size)
        return b"".join(
            self._read_chunk(address + done, min(LARGEST, size - done))
            for done in range(0, size, LARGEST)
        )

    def write(self, address: int, data: bytes) -> None:
        """Write *data* to guest-physical memory by DMA; 0.2 s for each 4095 bytes."""
        note(self._guest, self.name, "write", address, len(data), data=data)
        for done in range(0, len(data), LARGEST):
            chunk = data[done : done + LARGEST]
            self._qtest.write(self._scratch.phys, chunk)
            self._transfer(self._scratch.device, BUFFER, len(chunk), Dma.RUN)
            self._transfer(BUFFER, address + done, len(chunk), Dma.RUN | Dma.TO_RAM)

    def detach(self) -> None:
        """Switch its slot off in the guest, and wait until it is gone; measured: 1.1 s."""
        self._slot.unplug(self.name)

    def forge_msi(self, address: int, value: int) -> None:
        """Write the 32-bit little-endian *value* (0 to 0xFFFF) at once, by a forged MSI.

        The device sends what its MSI capability says, to where it says, which is nothing but a
        DMA write of four bytes; *address* is a multiple of 4.
        """
        if not 0 <= value <= 0xFFFF or address % 4:
            raise ValueError(f"an MSI carries 16 bits to an aligned address, not {value:#x}")
        msi = self.config.capability(MSI_CAPABILITY)
        self.config.write(msi + Msi.ADDRESS_LOW, 4, address & 0xFFFF_FFFF)
        self.config.write(msi + Msi.ADDRESS_HIGH, 4, address >> 32)
        self.config.write(msi + Msi.DATA, 2, value)
        self.config.write(msi + Msi.CONTROL, 2, MSI_ENABLE)
        self._write(Edu.RAISE_INTERRUPT, 4, 1)
        self._write(Edu.LOWER_INTERRUPT, 4, 1)
        self.config.write(msi + Msi.CONTROL, 2, 0)

    def _read_chunk(self, address: int, size: int) -> bytes:
        self._qtest.write(self._scratch.phys, bytes(size))
        self._transfer(address, BUFFER, size, Dma.RUN)
        self._transfer(BUFFER, self._scratch.device, size, Dma.RUN | Dma.TO_RAM)
        return self._qtest.read(self._scratch.phys, size)

    def _transfer(self, source: int, target: int, size: int, command: Dma) -> None:
        self._write(Edu.DMA_SOURCE, 8, source)
        self._write(Edu.DMA_TARGET, 8, target)
        self._write(Edu.DMA_COUNT, 8, size)
        self._write(Edu.DMA_COMMAND, 4, command)
        self._wait_idle(f"{size} bytes from {source:#x} to {target:#x}")

    def _wait_idle(self, what: str) -> None:
        """Wait for the transfer at hand: the device has a duration, and no event at its end."""
        patience = self._guest.watch.patience(COMPLETION_TIMEOUT)
        self._guest.watch.sleep(DURATION)
        while self._qtest.read_register(self._bar + Edu.DMA_COMMAND, 4) & Dma.RUN:
            if patience.left() <= 0:
                raise ProtocolError(
                    f"edu did not finish DMA of {what} in {COMPLETION_TIMEOUT:g} s; "
                    "does the virtual machine run?"
                )

    def _write(self, register: Edu, width: int, value: int) -> None:
        self._qtest.write_register(self._bar + register, width, value)
