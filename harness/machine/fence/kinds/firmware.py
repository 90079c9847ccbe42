# SPDX-License-Identifier: Apache-2.0
"""The SMMU window, set up and then hidden from the kernel by firmware at EL2.

The kernel runs at EL1 under a stage 2 that maps neither the SMMU's registers, nor the flash with
all tables and the firmware's code, nor the firmware's RAM. The kernel could still make a
device that bypasses the SMMU write to that RAM (fw_cfg, the ITS, virtio without
``iommu_platform``), which contains records and, during an exception, a stack. A rogue cannot.
"""

from collections.abc import Sequence
from dataclasses import replace

from harness.base.address_range import AddressRange
from harness.machine.fence.fence import Fence
from harness.machine.fence.firmware import (
    CACHE_LOG,
    EVENTS,
    FIRMWARE,
    Bank,
    flash_image,
    flash_parts,
)
from harness.machine.fence.smmu import EVENT_BITS, enforced, program, window_tables

EL2 = ",virtualization=on,acpi=off"
"""With firmware and ACPI, QEMU 7.2 replaces the power button of the devicetree."""


def fence(windows: Sequence[AddressRange], ports: int, *, logs_caches: bool = False) -> Fence:
    """Only *windows* and the harness's scratch memory for devices behind *ports* root ports.

    With *logs_caches* the firmware logs the kernel's cache maintenance (cache_log.py).
    """
    tables = window_tables(Bank.SMMU, windows, ports)
    standing = tuple(enforced(tables))
    setup = program(tables, EVENTS.base, EVENT_BITS)
    parts = flash_parts(tables, setup, standing, logs_caches=logs_caches)
    return Fence(
        "firmware",
        tuple(windows),
        board=f",iommu=smmuv3{EL2}",
        visible_board=EL2,
        flash=((0, flash_image(parts)),),
        standing=standing,
        constants=parts,
        firmware=replace(FIRMWARE, cache_log=CACHE_LOG) if logs_caches else FIRMWARE,
    )
