# SPDX-License-Identifier: Apache-2.0
"""What virtio devices do, and the memory that their drivers give them."""

from harness.base.address_range import AddressRange
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory, buffers, virtqueue
from harness.suite.lib.expect import require

QUEUES = "virtqueue memory"


def touched(
    guest: Guest, memory: LiveMemory, device: str, *, packed: bool = False
) -> tuple[AddressRange, ...]:
    """All memory that the driver gave to virtio *device*, whose ring may be *packed*."""
    queue = virtqueue(guest, device, packed=packed)
    return (*queue.rings, *buffers(memory, queue))


def read_entropy(guest: Guest, number: int) -> bytes:
    """64 bytes from the virtio-rng that is *number* in the kernel's order."""
    ran = guest.agent.run(
        f"echo virtio_rng.{number} > /sys/class/misc/hw_random/rng_current && "
        "dd if=/dev/hwrng of=/tmp/entropy bs=64 count=1 2> /dev/null"
    )
    require(ran.status == 0, "a read of /dev/hwrng", ran.text or f"status {ran.status}")
    return guest.agent.read_file("/tmp/entropy")
