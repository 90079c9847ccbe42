# SPDX-License-Identifier: Apache-2.0
"""The machine of a check: a kernel with its own modules, a pool for PCI devices, and a fence."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.base.space import MIB
from harness.jobs.check.kernel_parts import KernelParts
from harness.kernel import Kernel
from harness.kernel.build.initramfs import build_plain_initramfs
from harness.kernel.geometry import image_size
from harness.machine.binary import Qemu
from harness.machine.devicetree import Devicetree, Placement, Pool
from harness.machine.devicetree.compose import AS_WRITTEN
from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.model import Environment, KernelVersion, Restriction, predict
from harness.machine.devicetree.payload import kernel_place
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.fence import Fence, fence_named
from harness.machine.layout import RAM_BASE
from harness.machine.machine import Machine
from harness.machine.shape import shaped_devicetree

SHAPE = "pool-pci-host"
"""One pool for all PCI devices."""

RAM_SIZE = 512 * MIB
"""Bytes of RAM, unless another size is asked for: shipped kernels are large."""

CPUS = 2
"""A driver may wait for its device in a loop, and the agent needs a CPU then: virtio-net does that
for the answer to a command (Linux 6.1, drivers/net/virtio_net.c:virtnet_send_command)."""

PORTS = 2
FENCE = "smmu"


@dataclass(frozen=True)
class Confined:
    """A devicetree with pools for PCI devices, and the *fence* that lets them access those alone.

    *ram_size* in bytes.
    """

    devicetree: Devicetree
    fence: Fence
    ram_size: int
    cpus: int = CPUS


def confined(
    qemu: Qemu,
    shape: str | Path = SHAPE,
    ram_size: int = RAM_SIZE,
    cpus: int = CPUS,
    placements: Mapping[str, Placement] = AS_WRITTEN,
) -> Confined:
    """The devicetree of *shape*, with pools of other *placements*, and its fence.

    Raises DevicetreeError if there is no such shape, InputError if it has no pool at a fixed
    address for PCI devices.
    """
    tree = partial(
        shaped_devicetree, qemu, shape, ram_size=ram_size, cpus=cpus, placements=placements
    )
    windows = [AddressRange(pool.base, pool.size) for pool in pools_of(tree().pools)]
    ram = AddressRange(RAM_BASE, ram_size)
    if outside := [window for window in windows if not ram.contains(window.base, window.size)]:
        raise InputError(
            f"--shape={shape} has a pool at {outside[0]}, outside the machine's RAM {ram}. Move "
            "it, or give the machine more RAM with --machine-memory"
        )
    if not windows:
        raise InputError(
            f"--shape={shape} has no pool with an address (reg) for PCI devices, so there is "
            f"nothing to confine them to. Name one in memory-region of {HOST_BRIDGE}"
        )
    fence = fence_named(FENCE, windows, PORTS)
    return Confined(tree(more=fence.overlays), fence, ram_size, cpus)


def check_machine(qemu: Qemu, kernel: Kernel, parts: KernelParts, around: Confined) -> Machine:
    """The machine; raises InputError if the kernel cannot run in it."""
    parts.require_guest()
    if parts.feature:
        _require_boot(kernel, around)
    return Machine(
        qemu,
        kernel,
        build_plain_initramfs(kernel, parts.modules),
        around.devicetree,
        around.ram_size,
        around.cpus,
        ports=PORTS,
        fence=around.fence,
    )


def _require_boot(kernel: Kernel, around: Confined) -> None:
    """Raise InputError if the pools of PCI devices end the boot of a kernel that has the feature.

    Devices elsewhere may have no driver in it, and so keep no pool.
    """
    version = KernelVersion.parse(kernel.release)
    loaded = (kernel_place(RAM_BASE, image_size(kernel.image)),)
    found = predict(
        read_blob(around.devicetree.blob), version, Environment(loaded, page=kernel.page_size)
    )
    ends = (one for one in found.devices if one.outcome is Restriction.NO_BOOT)
    for one in ends:
        if one.path.startswith(HOST_BRIDGE):
            raise InputError(
                f"Linux {kernel.release} does not boot with --shape="
                f"{around.devicetree.overlays[-1]}: {one.why}, for {one.path} [{one.rule.name}]. "
                f"{one.rule.advice} See harness lint --explain={one.rule.name}"
            )


def pools_of(pools: tuple[Pool, ...]) -> tuple[Pool, ...]:
    """Those of *pools* that PCI devices have: by the host bridge, or by a node below it."""
    return tuple(
        pool
        for pool in pools
        if any(user == HOST_BRIDGE or user.startswith(f"{HOST_BRIDGE}/") for user in pool.users)
    )
