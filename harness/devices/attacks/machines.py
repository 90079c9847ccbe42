# SPDX-License-Identifier: Apache-2.0
"""Machines of the attack matrix: the shape, pool and fence that a cell needs."""

import functools
from collections.abc import Callable
from dataclasses import replace

from harness.base.address_range import AddressRange
from harness.devices.attacks.attack import Protection
from harness.devices.attacks.matrix import Cell
from harness.devices.attacks.registry import attacks
from harness.devices.rogue import rogue_kinds
from harness.machine.devicetree import Devicetree
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.environment import Environment
from harness.machine.fence import fence_named
from harness.machine.machine import DEFAULT_RAM, KERNEL_SMMU, Machine
from harness.machine.shape import NO_POOL, shaped_devicetree

RESERVED_WINDOW = "window-only"
"""The shape of a machine with a fence and no pool."""

WINDOW = AddressRange(0x4F00_0000, 0x100_0000)
"""What that shape sets aside (dts/window-only.dtso)."""

PORTS = 2

PCI_FENCE = "smmu"
"""The fence of rogues that are PCI bus masters, unless another is asked for."""


def machine_for(environment: Environment, cell: Cell, pci_fence: str = PCI_FENCE) -> Machine:
    """The machine of a *cell*; *pci_fence* confines the rogues that are PCI bus masters."""
    fence = rogue_kinds()[cell.rogue].fence
    if fence == "smmu":
        fence = pci_fence
    return _machine(environment, attacks()[cell.attack].shape, cell.protection, fence)


@functools.cache
def _machine(
    environment: Environment, shape: str, protection: Protection, fence_name: str
) -> Machine:
    iommu = protection is Protection.IOMMU
    shape = _shape(shape, protection)
    tree = functools.partial(shaped_devicetree, environment.qemu, shape, ram_size=DEFAULT_RAM)
    machine = Machine(
        *(environment.qemu, environment.kernel, environment.initramfs),
        tree(board=KERNEL_SMMU if iommu else ""),
        ports=PORTS,
        iommu=iommu,
        share_all=not protection.fence,
    )
    return fenced(machine, fence_name, tree) if protection.fence else machine


def fenced(machine: Machine, fence_name: str, tree: Callable[..., Devicetree]) -> Machine:
    """*machine* with a fence around the pools of its PCI devices.

    *tree* makes its devicetree, with *more* overlays. Raises InputError for an unknown fence.
    """
    pools = [pool for pool in machine.devicetree.pools if HOST_BRIDGE in pool.users]
    windows = [AddressRange(pool.base, pool.size) for pool in pools] or [WINDOW]
    fence = fence_named(fence_name, windows, machine.ports)
    return replace(machine, devicetree=tree(more=fence.overlays), fence=fence)


def _shape(shape: str, protection: Protection) -> str:
    if protection.pool:
        return shape
    return RESERVED_WINDOW if protection.fence else NO_POOL
