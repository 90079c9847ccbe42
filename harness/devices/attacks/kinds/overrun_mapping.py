# SPDX-License-Identifier: Apache-2.0
"""Overrun a mapping: the device writes more than it was asked for."""

from harness.devices.attacks.attack import Attack, Outcome, Protection, Result
from harness.devices.attacks.scene import PAGE, Scene
from harness.devices.attacks.verdicts import damage
from harness.devices.probe import Direction, Seed

OLD, NEW = Seed(0x01D), Seed(0xE11)
MAPPED, WRITTEN = 64, 256


def run(scene: Scene) -> Result:
    """Write 256 bytes into a mapping of 64."""
    buffer = scene.probe.buffer(PAGE)
    buffer.fill(OLD)
    data = NEW.content(0, WRITTEN)
    with scene.driver.map_single(buffer, Direction.FROM_DEVICE, size=MAPPED) as mapping:
        scene.rogue.write(mapping.dma_addr, data)
    changed = not buffer.holds(OLD, MAPPED)
    effect = f"the bytes behind the mapping are {'changed' if changed else 'as they were'}"
    return damage(scene, scene.landing(mapping, buffer), data, changed, effect)


ATTACK = Attack(
    "writes behind the end of a mapping",
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
