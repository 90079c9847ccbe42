# SPDX-License-Identifier: Apache-2.0
"""What a kernel did with the node of a pool, from its log."""

from collections.abc import Sequence

from harness.jobs.check.answers import PoolAnswer, PoolTreatment
from harness.jobs.check.kernel_parts import FEATURE
from harness.machine.devicetree import Pool
from harness.machine.qemu.placed import CREATED

REFUSALS = ("fail", "must be accessible")
"""Words in lines about a pool that say why it was refused (Linux 6.12,
drivers/of/of_reserved_mem.c:__reserved_mem_init_node, kernel/dma/swiotlb.c)."""

UNUSABLE = 'failed to initialise "restricted-dma-pool" memory node'
"""The line about a device whose pool could not be set up: it names no pool
(drivers/of/device.c:of_dma_set_restricted_buffer)."""

NOT_BUILT = f"feature not built: CONFIG_{FEATURE} is not set"


def pool_answer(pool: Pool, log: Sequence[str], built: bool) -> PoolAnswer:
    """The state of *pool* by the kernel's *log*; *built*: whether the kernel has the feature."""
    if not built:
        return PoolAnswer(pool, PoolTreatment.IGNORED, NOT_BUILT)
    refusal = next((line for line in log if _refuses(line, pool)), "")
    if refusal:
        return PoolAnswer(pool, PoolTreatment.REFUSED, refusal.strip())
    created = (found for found in map(CREATED.search, log) if found)
    if any(int(found[1], 16) == pool.base for found in created):
        return PoolAnswer(pool, PoolTreatment.RECOGNISED)
    return PoolAnswer(pool, PoolTreatment.IGNORED, "the kernel does not say why")


def _refuses(line: str, pool: Pool) -> bool:
    return UNUSABLE in line or (pool.name in line and any(word in line for word in REFUSALS))
