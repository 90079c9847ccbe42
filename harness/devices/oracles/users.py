# SPDX-License-Identifier: Apache-2.0
"""Find the drivers whose devices use a pool, besides the probe's."""

from collections.abc import Iterator

import drgn

from harness.observe.memory import KernelTypes
from harness.observe.memory.kernel import kernel_reading

PROBE = frozenset({"restricted-dma-probe-pci", "restricted-dma-probe-node"})
"""The drivers of guest/probe/drivers.c."""

IDLE = frozenset(
    {
        "pci-host-generic",
        "pcieport",
        "serial",
        "serial8250",
        "pvpanic-pci",
        "armv8-pmu",
        "fw_cfg",
        "gpio-keys",
        "psci-cpuidle",
        "syscon-poweroff",
    }
)
"""Drivers of the ``virt`` machine whose devices do no DMA."""


def drivers_in(types: KernelTypes, pool: int) -> frozenset[str]:
    """The drivers that may do DMA, of devices whose pool is the one at kernel address *pool*."""
    with kernel_reading("the drivers of devices"):
        names = {
            _driver(device) for device in _bound(types) if device.dma_io_tlb_mem.value_() == pool
        }
    return frozenset(names - IDLE)


def _bound(types: KernelTypes) -> Iterator[drgn.Object]:
    return (device for device in types.devices() if device.driver)


def _driver(device: drgn.Object) -> str:
    return str(device.driver.name.string_().decode())
