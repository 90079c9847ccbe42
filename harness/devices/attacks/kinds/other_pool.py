# SPDX-License-Identifier: Apache-2.0
"""Attack another device's pool."""

import secrets

from harness.devices.attacks.attack import Attack, Effect, Observation, Protection
from harness.devices.attacks.context import SECRET_SIZE, Context
from harness.devices.probe import Direction

OTHER = "probe-b"
"""The platform device with a pool of its own (dts/pool-two.dtso)."""


def run(context: Context) -> Observation:
    """Read what another device has mapped in its own pool."""
    secret = secrets.token_bytes(SECRET_SIZE)
    buffer = context.probe.buffer(context.page)
    buffer.write(secret)
    with context.probe.device(OTHER).map_single(buffer, Direction.TO_DEVICE) as mapping:
        seen = context.rogue.read(mapping.phys, SECRET_SIZE)
    if seen == secret:
        return Observation(Effect.SUCCEEDED, f"its mapping at {mapping.phys:#x} was read")
    return Observation(Effect.STOPPED, f"its mapping reads as {seen[:16].hex()}")


ATTACK = Attack(
    "reads out of another device's pool",
    run,
    {
        Protection.NOTHING: Effect.SUCCEEDED,
        Protection.POOL: Effect.SUCCEEDED,
        Protection.FENCE: Effect.STOPPED,
        Protection.BOTH: Effect.STOPPED,
        Protection.IOMMU: Effect.STOPPED,
    },
    shape="pool-two",
)
