# SPDX-License-Identifier: Apache-2.0
"""A PCI device with memory of its own, for DMA from device to device (P2PDMA).

QEMU's ``ivshmem-plain``: its BAR 2 is a memory backend (hw/misc/ivshmem.c). The probe offers that
BAR to other devices as BufferKind.PEER, and does DMA for the device itself as for any other.
"""

from harness.devices.rogue.root_port import PLUG_TIMEOUT
from harness.machine.qemu.guest import Guest

SIZE = 2 << 20
"""Bytes of the BAR: the least that Linux can give pages to (mm/memory_hotplug.c, a subsection),
and the most that Linux keeps free for a device to come (drivers/pci/setup-bus.c, hpmmioprefsize).
"""


def plug_peer_memory(guest: Guest, port: int = 1) -> str:
    """Plug one into an empty root port and return its name once the probe is bound to it.

    Raises the guest's ending, or GuestHang when the guest does not enumerate it.
    """
    mark = guest.console.mark
    memory = {"qom-type": "memory-backend-ram", "id": f"peer-memory{port}", "size": SIZE}
    guest.monitor.execute("object-add", memory)
    guest.monitor.execute(
        "device_add",
        {
            "driver": "ivshmem-plain",
            "id": f"peer{port}",
            "bus": f"rp{port}",
            "memdev": memory["id"],
        },
    )
    bound = guest.console.wait_for(r"(\S+): bound to the probe", PLUG_TIMEOUT, since=mark)
    return str(bound[1])
