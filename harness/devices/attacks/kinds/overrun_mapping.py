# SPDX-License-Identifier: Apache-2.0
"""Overrun a mapping: the device writes more than it was asked for."""

from harness.devices.attacks.attack import Attack, Effect, Observation, Protection
from harness.devices.attacks.context import Context
from harness.devices.attacks.judging import damage
from harness.devices.probe import Direction, Seed

OLD, NEW = Seed(0x01D), Seed(0xE11)
MAPPED, WRITTEN = 64, 256


def run(context: Context) -> Observation:
    """Write 256 bytes into a mapping of 64."""
    buffer = context.probe.buffer(context.page)
    buffer.fill(OLD)
    data = NEW.content(0, WRITTEN)
    with context.driver.map_single(buffer, Direction.FROM_DEVICE, size=MAPPED) as mapping:
        context.rogue.write(mapping.dma_addr, data)
    changed = not buffer.holds(OLD, MAPPED)
    shown = f"the bytes behind the mapping are {'changed' if changed else 'as they were'}"
    return damage(context, context.landing(mapping, buffer), data, changed, shown)


ATTACK = Attack(
    "writes behind the end of a mapping",
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
