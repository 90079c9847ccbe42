# SPDX-License-Identifier: Apache-2.0
"""The state of a pool, from the words of kernels."""

import pytest

from harness.jobs.check.answers import PoolTreatment
from harness.jobs.check.pool_state import pool_answer
from harness.machine.devicetree import Pool

POOL = Pool(0x4F00_0000, 0x100_0000, "restricted-dma@4f000000", "pool", ("/pcie@10000000",))

CREATED = (
    "[    0.000000] Reserved memory: created restricted DMA pool at 0x000000004f000000, size 16"
)
OTHER = "[    0.000000] Reserved memory: created restricted DMA pool at 0x0000000050000000, size 16"
RESERVED = "[    0.000000] OF: reserved mem: 0x4f000000..0x4fffffff restricted-dma@4f000000"
MISMATCH = "[    0.000000] OF: reserved mem: node restricted-dma@4f000000 compatible matching fail"
UNUSABLE = 'pci-host-generic 10000000.pcie: failed to initialise "restricted-dma-pool" memory node'


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ((RESERVED, CREATED), PoolTreatment.RECOGNISED),
        ((RESERVED,), PoolTreatment.IGNORED),
        ((RESERVED, OTHER), PoolTreatment.IGNORED),
        ((MISMATCH,), PoolTreatment.REFUSED),
        ((CREATED, UNUSABLE), PoolTreatment.REFUSED),
    ],
)
def test_the_state_is_what_the_kernel_says(lines: tuple[str, ...], state: PoolTreatment) -> None:
    assert pool_answer(POOL, lines, built=True).state is state


def test_a_refusal_is_quoted() -> None:
    assert pool_answer(POOL, [MISMATCH], built=True).reason == MISMATCH


def test_a_kernel_without_the_feature_ignores_the_pool_and_the_option_is_named() -> None:
    answer = pool_answer(POOL, [RESERVED], built=False)

    assert str(answer) == (
        "restricted-dma@4f000000 [0x4f000000, 0x50000000): ignored: feature not built: "
        "CONFIG_DMA_RESTRICTED_POOL is not set"
    )
