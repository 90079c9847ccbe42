# SPDX-License-Identifier: Apache-2.0
"""The machine of a cell: which protection it has, and against which rogue."""

import functools
from dataclasses import dataclass, replace

from harness.base.address_range import AddressRange
from harness.devices.attacks import Protection, attacks
from harness.devices.attacks.cell import Cell
from harness.devices.rogue import rogue_kinds
from harness.devices.rogue.pci import HOST_BRIDGE
from harness.kernel import Initramfs, Kernel
from harness.machine.fence import fence_named
from harness.machine.machine import DEFAULT_RAM, KERNEL_SMMU, Machine
from harness.machine.qemu.qemu import Qemu
from harness.machine.shape import NO_POOL, shaped_devicetree

RESERVED_WINDOW = "window-only"
"""The shape of a machine with a fence and no pool."""

WINDOW = AddressRange(0x4F00_0000, 0x100_0000)
"""What that shape sets aside (dts/window-only.dtso)."""

PORTS = 2


@dataclass(frozen=True)
class Ground:
    """What all machines of a table have; *pci_fence* confines the rogues that are PCI masters."""

    qemu: Qemu
    kernel: Kernel
    initramfs: Initramfs
    pci_fence: str = "smmu"


def machine_for(ground: Ground, cell: Cell) -> Machine:
    """The machine that *cell* takes place on."""
    fence = rogue_kinds()[cell.rogue].fence
    if fence == "smmu":
        fence = ground.pci_fence
    return _machine(ground, attacks()[cell.attack].shape, cell.protection, fence)


@functools.cache
def _machine(ground: Ground, shape: str, protection: Protection, fence_name: str) -> Machine:
    iommu = protection is Protection.IOMMU
    shape = _shape(shape, protection)
    tree = functools.partial(shaped_devicetree, ground.qemu, shape, ram_size=DEFAULT_RAM)
    machine = Machine(
        *(ground.qemu, ground.kernel, ground.initramfs),
        tree(board=KERNEL_SMMU if iommu else ""),
        ports=PORTS,
        iommu=iommu,
        share_all=not protection.fence,
    )
    if not protection.fence:
        return machine
    pools = [pool for pool in machine.devicetree.pools if HOST_BRIDGE in pool.users]
    windows = [AddressRange(pool.base, pool.size) for pool in pools] or [WINDOW]
    fence = fence_named(fence_name, windows, PORTS)
    return replace(machine, devicetree=tree(more=fence.overlays), fence=fence)


def _shape(shape: str, protection: Protection) -> str:
    if protection.pool:
        return shape
    return RESERVED_WINDOW if protection.fence else NO_POOL
