# SPDX-License-Identifier: Apache-2.0
"""Read the neighbours of a mapped buffer: other bytes of its page."""

import secrets

from harness.devices.attacks.attack import Attack, Effect, Observation, Protection
from harness.devices.attacks.context import SECRET_SIZE, Context
from harness.devices.probe import Direction

MAPPED = 64


def run(context: Context) -> Observation:
    """Read on behind a mapping of 64 bytes, to where the rest of its page would be."""
    secret, payload = secrets.token_bytes(SECRET_SIZE), secrets.token_bytes(MAPPED)
    half = context.page // 2
    buffer = context.probe.buffer(context.page)
    buffer.write(payload)
    buffer.write(secret, offset=half)
    with context.driver.map_single(buffer, Direction.TO_DEVICE, size=MAPPED) as mapping:
        beside = context.rogue.read(mapping.dma_addr + half, SECRET_SIZE)
        own = context.rogue.read(mapping.dma_addr, MAPPED)
    if beside == secret:
        return Observation(Effect.SUCCEEDED, "the bytes beside the mapping were read")
    if own == payload:
        return Observation(
            Effect.CONTAINED, "the mapping was read; beside it is nothing of the page"
        )
    return Observation(Effect.STOPPED, "not even the mapping could be read")


ATTACK = Attack(
    "reads a neighbour in the page of a mapped buffer",
    run,
    {
        Protection.NOTHING: Effect.SUCCEEDED,
        Protection.POOL: Effect.CONTAINED,
        Protection.FENCE: Effect.STOPPED,
        Protection.BOTH: Effect.CONTAINED,
        # an IOMMU maps whole pages (drivers/iommu/dma-iommu.c:__iommu_dma_map)
        Protection.IOMMU: Effect.SUCCEEDED,
    },
)
