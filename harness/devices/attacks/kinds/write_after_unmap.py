# SPDX-License-Identifier: Apache-2.0
"""Write after unmap: the device goes on with a buffer that it was given once."""

from harness.devices.attacks.attack import Attack, Effect, Observation, Protection
from harness.devices.attacks.context import Context
from harness.devices.attacks.judging import damage
from harness.devices.probe import Direction, Seed

OLD, NEW = Seed(0x01D), Seed(0xE11)


def run(context: Context) -> Observation:
    """Write to the address of a mapping that has ended, whose buffer has another use by now."""
    buffer = context.probe.buffer(context.page)
    mapping = context.driver.map_single(buffer, Direction.FROM_DEVICE)
    mapping.unmap()
    buffer.fill(OLD)
    data = NEW.content(0, 64)
    context.rogue.write(mapping.dma_addr, data)
    changed = not buffer.holds(OLD)
    shown = f"the buffer is {'changed' if changed else 'as it was'}"
    return damage(context, context.landing(mapping, buffer), data, changed, shown)


ATTACK = Attack(
    "writes to a buffer after it was unmapped",
    run,
    {
        Protection.NOTHING: Effect.SUCCEEDED,
        Protection.POOL: Effect.CONTAINED,
        Protection.FENCE: Effect.STOPPED,
        Protection.BOTH: Effect.CONTAINED,
        Protection.IOMMU: Effect.STOPPED,
    },
)
