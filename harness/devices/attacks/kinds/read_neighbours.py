# SPDX-License-Identifier: Apache-2.0
"""Read the neighbours: what lies beside a mapped buffer, in the same page of the CPU's."""

import secrets

from harness.devices.attacks.attack import Attack, Outcome, Protection, Result
from harness.devices.attacks.scene import PAGE, SECRET_SIZE, Scene
from harness.devices.probe import Direction

MAPPED, PAGE_HALF = 64, PAGE // 2


def run(scene: Scene) -> Result:
    """Read on behind a mapping of 64 bytes, to where the rest of its page would be."""
    secret, payload = secrets.token_bytes(SECRET_SIZE), secrets.token_bytes(MAPPED)
    buffer = scene.probe.buffer(PAGE)
    buffer.write(payload)
    buffer.write(secret, offset=PAGE_HALF)
    with scene.driver.map_single(buffer, Direction.TO_DEVICE, size=MAPPED) as mapping:
        beside = scene.rogue.read(mapping.dma_addr + PAGE_HALF, SECRET_SIZE)
        own = scene.rogue.read(mapping.dma_addr, MAPPED)
    if beside == secret:
        return Result(Outcome.SUCCEEDED, "the bytes beside the mapping were read")
    if own == payload:
        return Result(Outcome.CONTAINED, "the mapping was read; beside it is nothing of the page")
    return Result(Outcome.STOPPED, "not even the mapping could be read")


ATTACK = Attack(
    "reads a neighbour in the page of a mapped buffer",
    run,
    {
        Protection.NOTHING: Outcome.SUCCEEDED,
        Protection.POOL: Outcome.CONTAINED,
        Protection.FENCE: Outcome.STOPPED,
        Protection.BOTH: Outcome.CONTAINED,
        # an IOMMU maps whole pages (drivers/iommu/dma-iommu.c:__iommu_dma_map)
        Protection.IOMMU: Outcome.SUCCEEDED,
    },
)
