# SPDX-License-Identifier: Apache-2.0
"""Read stale bytes: what a mapping held stays readable after its end, within the pool."""

import secrets

from harness.devices.attacks.attack import Attack, Effect, Observation, Protection
from harness.devices.attacks.context import SECRET_SIZE, Context
from harness.devices.attacks.judging import theft
from harness.devices.probe import Direction


def run(context: Context) -> Observation:
    """Read where a secret was mapped, after it was unmapped."""
    secret = secrets.token_bytes(SECRET_SIZE)
    buffer = context.probe.buffer(context.page)
    buffer.write(secret)
    mapping = context.driver.map_single(buffer, Direction.TO_DEVICE)
    mapping.unmap()
    return theft(context, mapping.dma_addr, secret, "an ended mapping's content")


ATTACK = Attack(
    "reads what an ended mapping held",
    run,
    {
        Protection.NOTHING: Effect.SUCCEEDED,
        Protection.POOL: Effect.CONTAINED,
        Protection.FENCE: Effect.STOPPED,
        Protection.BOTH: Effect.CONTAINED,
        Protection.IOMMU: Effect.STOPPED,
    },
)
