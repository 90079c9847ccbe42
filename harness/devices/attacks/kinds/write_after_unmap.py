# SPDX-License-Identifier: Apache-2.0
"""Write after unmap: the device goes on with a buffer that it was given once."""

from harness.devices.attacks.attack import Attack, Outcome, Protection, Result
from harness.devices.attacks.scene import PAGE, Scene
from harness.devices.attacks.verdicts import damage
from harness.devices.probe import Direction, Seed

OLD, NEW = Seed(0x01D), Seed(0xE11)


def run(scene: Scene) -> Result:
    """Write to the address of a mapping that has ended, whose buffer has another use by now."""
    buffer = scene.probe.buffer(PAGE)
    mapping = scene.driver.map_single(buffer, Direction.FROM_DEVICE)
    mapping.unmap()
    buffer.fill(OLD)
    data = NEW.content(0, 64)
    scene.rogue.write(mapping.dma_addr, data)
    changed = not buffer.holds(OLD)
    effect = f"the buffer is {'changed' if changed else 'as it was'}"
    return damage(scene, scene.landing(mapping, buffer), data, changed, effect)


ATTACK = Attack(
    "writes to a buffer after it was unmapped",
    run,
    {
        Protection.NOTHING: Outcome.SUCCEEDED,
        Protection.POOL: Outcome.CONTAINED,
        Protection.FENCE: Outcome.STOPPED,
        Protection.BOTH: Outcome.CONTAINED,
        Protection.IOMMU: Outcome.STOPPED,
    },
)
