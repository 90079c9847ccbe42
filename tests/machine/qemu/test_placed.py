# SPDX-License-Identifier: Apache-2.0
"""The place of a pool that the kernel chose is read from the kernel's log."""

from harness.machine.devicetree import DynamicPool
from harness.machine.qemu.placed import placed

LOG = (
    "[    0.000000] software IO TLB: Reserved memory: created restricted DMA pool at "
    "0x000000004fc00000, size 4 MiB",
    "[    0.000000] OF: reserved mem: initialized node restricted_dma, compatible id "
    "restricted-dma-pool",
    "[    0.000000] OF: reserved mem: 0x000000004fc00000..0x000000004fffffff (4096 KiB) map "
    "non-reusable restricted_dma",
)


def dynamic(name: str) -> DynamicPool:
    return DynamicPool(name, size=4 << 20, alignment=4096, label="pool", users=())


def test_a_pool_is_where_the_log_says() -> None:
    pool = dynamic("restricted_dma")

    assert placed([pool], LOG) == (pool.at(0x4FC0_0000),)


def test_a_pool_that_the_log_does_not_announce_is_nowhere() -> None:
    assert placed([dynamic("another")], LOG) == ()
