# SPDX-License-Identifier: Apache-2.0
"""The harness itself: page size and slot sets are those that the kernel under test works with."""

from harness.kernel import SLOT, Geometry, Kernel
from harness.observe.memory import KernelTypes, restricted_pools, slots


def test_the_sizes_are_those_that_the_kernel_works_with(
    types: KernelTypes, kernel: Kernel, geometry: Geometry
) -> None:
    """Image, probe, vmcoreinfo, and the free list of an empty pool agree."""
    (pool,) = restricted_pools(types)

    longest = max(slot.list for slot in slots(types, pool))

    assert geometry == Geometry(types.page_size, longest * SLOT)
    assert kernel.page_size == types.page_size
