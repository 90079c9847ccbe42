# SPDX-License-Identifier: Apache-2.0
"""QEMU's ``nvme`` device as a rogue: a PCI bus master that moves megabytes at once.

The harness is its driver, through qtest. The namespace is a file that the harness has mapped, so
data goes in and out as fast as memory is copied. QEMU, hw/nvme/ctrl.c, takes data pointers of any
address and length in bytes (SGLs, which its PRP lists are not), so that not one byte more than
what is asked for is read or written.
"""

import io
import mmap
from collections.abc import Iterator

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.devices.rogue.journal import note
from harness.devices.rogue.nvme_queue import MEMORY_SIZE, PAGE, Controller, Opcode
from harness.devices.rogue.pci import Command
from harness.devices.rogue.root_port import RootPort
from harness.devices.rogue.scratch import scratch_for
from harness.kernel.abilities import abilities_of
from harness.machine.fence import SCRATCH
from harness.machine.qemu.guest import Guest

PORTS = SCRATCH.size // MEMORY_SIZE - 1
"""How many can have their queues in the scratch memory; its first part is ``edu``'s."""

DRIVER = "BLK_DEV_NVME"

TRANSFER_LIMIT = 9
"""QEMU's ``mdts``: a transfer has at most 2^9 pages. Since 10.0 no limit, and more, is refused
(hw/nvme/ctrl.c:nvme_check_params, "mdts exceeds IOV_MAX")."""

LARGEST = PAGE << TRANSFER_LIMIT
"""Bytes of the namespace, and so of a transfer: 2 MiB."""

ZEROS = memoryview(bytes(LARGEST))


class NvmeRogue:
    """One ``nvme``, plugged into an empty root port of a running guest."""

    def __init__(self, guest: Guest, port: int = 0) -> None:
        """Plug it in and wait until the guest's probe driver is bound to it.

        *port* is below PORTS. Raises InputError if the kernel has a driver of its own for it,
        the guest's ending, or GuestHang when the guest does not enumerate it.
        """
        _check(guest, port)
        self._guest = guest
        self.name = f"rogue{port}"
        self._node = f"rogue-data{port}"
        self._path = guest.directory / self._node
        self._slot = RootPort(guest, port)
        self.bdf, self.config = self._slot.bdf, self._slot.config
        self._data = self._make_data()
        self._slot.plug(
            {
                "driver": "nvme",
                "id": self.name,
                "serial": self.name,
                "drive": self._node,
                "mdts": TRANSFER_LIMIT,
            }
        )
        self.config.set_command(Command.MEMORY, on=True)
        self.set_bus_master(True)
        memory = scratch_for(guest, self.bdf).part((port + 1) * MEMORY_SIZE)
        self._controller = Controller(guest.qtest, self.config.bar0(), memory)

    def set_bus_master(self, on: bool) -> None:
        """Switch bus mastering, without which it does not even get to see a command."""
        self.config.set_command(Command.BUS_MASTER, on)

    def read(self, address: int, size: int) -> bytes:
        """Read *size* bytes of guest-physical memory by DMA; hundreds of MB a second.

        What a fence refuses reads as zeros; each MiB of that takes 2.5 s and fills 75 MB of
        QEMU's log. The device's own registers are the one place that it does not read or write:
        that is a ProtocolError.
        """
        note(self._guest, self.name, "read", address, size)
        result = io.BytesIO()  # a join would copy all of it once more
        with memoryview(self._data) as data:
            for part in parts(address, size):
                data[: part.size] = ZEROS[: part.size]
                self._controller.transfer(Opcode.WRITE, part)
                result.write(data[: part.size])
        return result.getvalue()

    def write(self, address: int, data: bytes) -> None:
        """Write *data* to guest-physical memory by DMA, and no byte beside it."""
        note(self._guest, self.name, "write", address, len(data), data=data)
        for part in parts(address, len(data)):
            begin = part.base - address
            self._data[: part.size] = data[begin : begin + part.size]
            self._controller.transfer(Opcode.READ, part)

    def detach(self) -> None:
        """Switch its slot off in the guest, and wait until it is gone; measured: 1.1 s."""
        self._slot.unplug(self.name)
        self._guest.monitor.execute("blockdev-del", node_name=self._node)
        self._data.close()
        self._path.unlink()

    def _make_data(self) -> mmap.mmap:
        """The namespace's content, as QEMU's block node and as memory of this process."""
        with self._path.open("w+b") as file:
            file.truncate(LARGEST)
            data = mmap.mmap(file.fileno(), LARGEST)
        node = {"driver": "file", "node-name": self._node, "filename": str(self._path)}
        self._guest.monitor.execute("blockdev-add", node)
        return data


def _check(guest: Guest, port: int) -> None:
    if not 0 <= port < PORTS:
        raise InputError(f"an nvme rogue goes into root port 0 to {PORTS - 1}, not {port}")
    if abilities_of(guest.machine.kernel).has(f"{DRIVER}=y"):
        raise InputError(
            f"the kernel has CONFIG_{DRIVER}=y: its own driver takes an nvme device before the "
            "harness can; use a kernel without it, or another rogue"
        )


def parts(address: int, size: int) -> Iterator[AddressRange]:
    """Cut a range at the first and the last page boundary in it, and at LARGEST.

    A range that a fence lets through in part is mapped piece by piece, and QEMU 7.2 loses its
    place when a piece that is not a number of sectors is followed by another (softmmu/
    dma-helpers.c:dma_blk_cb). Pieces end with pages.
    """
    end = address + size
    while address < end:
        whole = (end - address) // PAGE * PAGE
        part = min(-address % PAGE or min(whole, LARGEST) or PAGE, end - address)
        yield AddressRange(address, part)
        address += part
