# SPDX-License-Identifier: Apache-2.0
"""Attack another device's pool."""

import secrets

from harness.devices.attacks.attack import Attack, Outcome, Protection, Result
from harness.devices.attacks.scene import PAGE, SECRET_SIZE, Scene
from harness.devices.probe import Direction

OTHER = "probe-b"
"""The platform device with a pool of its own (dts/pool-two.dtso)."""


def run(scene: Scene) -> Result:
    """Read what another device has mapped in its own pool."""
    secret = secrets.token_bytes(SECRET_SIZE)
    buffer = scene.probe.buffer(PAGE)
    buffer.write(secret)
    with scene.probe.device(OTHER).map_single(buffer, Direction.TO_DEVICE) as mapping:
        seen = scene.rogue.read(mapping.phys, SECRET_SIZE)
    if seen == secret:
        return Result(Outcome.SUCCEEDED, f"its mapping at {mapping.phys:#x} was read")
    return Result(Outcome.STOPPED, f"its mapping reads as {seen[:16].hex()}")


ATTACK = Attack(
    "reads out of another device's pool",
    run,
    {
        Protection.NOTHING: Outcome.SUCCEEDED,
        Protection.POOL: Outcome.SUCCEEDED,
        Protection.FENCE: Outcome.STOPPED,
        Protection.BOTH: Outcome.STOPPED,
        Protection.IOMMU: Outcome.STOPPED,
    },
    shape="pool-two",
)
