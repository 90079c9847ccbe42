# SPDX-License-Identifier: Apache-2.0
"""Pools that the kernel places itself."""

from harness.machine.devicetree import DynamicPool


def test_a_dynamic_pool_becomes_a_pool_where_the_kernel_put_it() -> None:
    dynamic = DynamicPool("restricted-dma", 0x200000, 0x1000, "pool", ("/pcie@10000000",))

    pool = dynamic.at(0x44000000)

    assert (pool.base, pool.end, pool.users) == (0x44000000, 0x44200000, ("/pcie@10000000",))
