# SPDX-License-Identifier: Apache-2.0
"""The addresses that the kernel chose for pools without a fixed address, from its log."""

import re
from collections.abc import Iterable, Iterator, Sequence

from harness.machine.devicetree import DynamicPool, Pool

CREATED = re.compile(r"Reserved memory: created restricted DMA pool at (0x[0-9a-f]+)")
"""kernel/dma/swiotlb.c:rmem_swiotlb_setup, since 5.15."""

INITIALISED = re.compile(r"initialized node ([^,]+), compatible id restricted-dma-pool")
"""The line after it, drivers/of/of_reserved_mem.c:__reserved_mem_init_node."""


def placed(pools: Sequence[DynamicPool], log: Iterable[str]) -> tuple[Pool, ...]:
    """Those of *pools* whose address is in the kernel's *log*; it could not place the others."""
    bases = dict(_announced(log))
    return tuple(pool.at(bases[pool.name]) for pool in pools if pool.name in bases)


def _announced(log: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Name and base of every restricted pool that *log* announces."""
    base = 0
    for line in log:
        if created := CREATED.search(line):
            base = int(created[1], 16)
        elif initialised := INITIALISED.search(line):
            yield initialised[1], base
