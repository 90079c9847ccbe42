# SPDX-License-Identifier: Apache-2.0
"""Peer to peer: write into another PCI device's BAR."""

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Outcome, Result
from harness.devices.attacks.scene import Scene
from harness.devices.rogue import plug_peer_memory

DATA = b"by another device"[:16]
BAR = "/sys/bus/pci/devices/{}/resource"
MEMORY_BAR = 2
"""The BAR with the memory (QEMU, hw/misc/ivshmem.c)."""


def run(scene: Scene) -> Result:
    """Write into the memory of the device in root port 1, and see whether a CPU reads it there."""
    name = plug_peer_memory(scene.guest)
    row = scene.sh(f"cat {BAR.format(name)}").splitlines()[MEMORY_BAR]
    place = int(row.split()[0], 16)
    scene.rogue.write(place, DATA)
    if scene.guest.qtest.read(place, len(DATA)) == DATA:
        return Result(Outcome.SUCCEEDED, f"BAR {MEMORY_BAR} of {name} at {place:#x} was written")
    return Result(Outcome.STOPPED, f"BAR {MEMORY_BAR} of {name} at {place:#x} is as it was")


ATTACK = Attack(
    "writes into another PCI device's BAR",
    run,
    ON_KERNEL_MEMORY,
    rogues=("edu", "nvme"),
    unless="a vhost-user backend is given memory alone, no BARs",
)
