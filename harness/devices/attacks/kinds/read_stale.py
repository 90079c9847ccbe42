# SPDX-License-Identifier: Apache-2.0
"""Read stale bytes: what a mapping held stays readable after its end, within the pool."""

import secrets

from harness.devices.attacks.attack import Attack, Outcome, Protection, Result
from harness.devices.attacks.scene import PAGE, SECRET_SIZE, Scene
from harness.devices.attacks.verdicts import theft
from harness.devices.probe import Direction


def run(scene: Scene) -> Result:
    """Read where a secret was mapped, after it was unmapped."""
    secret = secrets.token_bytes(SECRET_SIZE)
    buffer = scene.probe.buffer(PAGE)
    buffer.write(secret)
    mapping = scene.driver.map_single(buffer, Direction.TO_DEVICE)
    mapping.unmap()
    return theft(scene, mapping.dma_addr, secret, "an ended mapping's content")


ATTACK = Attack(
    "reads what an ended mapping held",
    run,
    {
        Protection.NOTHING: Outcome.SUCCEEDED,
        Protection.POOL: Outcome.CONTAINED,
        Protection.FENCE: Outcome.STOPPED,
        Protection.BOTH: Outcome.CONTAINED,
        Protection.IOMMU: Outcome.STOPPED,
    },
)
