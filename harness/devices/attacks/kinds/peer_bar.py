# SPDX-License-Identifier: Apache-2.0
"""Peer to peer: write into another PCI device's BAR."""

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Effect, Observation
from harness.devices.attacks.context import Context
from harness.devices.rogue import plug_peer_memory

DATA = b"by another device"[:16]
BAR = "/sys/bus/pci/devices/{}/resource"
MEMORY_BAR = 2
"""The BAR with the memory (QEMU, hw/misc/ivshmem.c)."""


def run(context: Context) -> Observation:
    """Write into the memory of the device in root port 1, and see whether a CPU reads it there."""
    name = plug_peer_memory(context.guest)
    row = context.sh(f"cat {BAR.format(name)}").splitlines()[MEMORY_BAR]
    place = int(row.split()[0], 16)
    context.rogue.write(place, DATA)
    if context.guest.qtest.read(place, len(DATA)) == DATA:
        return Observation(
            Effect.SUCCEEDED, f"BAR {MEMORY_BAR} of {name} at {place:#x} was written"
        )
    return Observation(Effect.STOPPED, f"BAR {MEMORY_BAR} of {name} at {place:#x} is as it was")


ATTACK = Attack(
    "writes into another PCI device's BAR",
    run,
    ON_KERNEL_MEMORY,
    rogues=("edu", "nvme"),
    unless="a vhost-user backend is given memory alone, no BARs",
)
