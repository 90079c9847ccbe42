# SPDX-License-Identifier: Apache-2.0
"""Hit the firmware's own tables and registers."""

from harness.devices.attacks.attack import Attack, Effect, Observation, Protection
from harness.devices.attacks.context import Context
from harness.machine.fence import Register

JUNK = bytes.fromhex("a5") * 64


def run(context: Context) -> Observation:
    """Write to every register and to the start of every table that the fence consists of."""
    fence = context.guest.machine.fence
    assert fence is not None, "see expected below"
    registers = [one for one in fence.standing if one.width == 4]
    for register in registers:
        context.rogue.write(register.address, _switched_off(register))
    for constant in fence.constants:
        context.rogue.write(constant.address, JUNK)
    damaged = context.guest.fence_damage()
    if damaged:
        return Observation(Effect.SUCCEEDED, damaged[0])
    count = f"{len(registers)} registers and {len(fence.constants)} tables"
    return Observation(Effect.STOPPED, f"{count} are as they were")


def _switched_off(register: Register) -> bytes:
    return bytes(register.width)


ATTACK = Attack(
    "writes to the firmware's tables and registers",
    run,
    {Protection.FENCE: Effect.STOPPED, Protection.BOTH: Effect.STOPPED},
    rogues=("edu", "nvme"),
    unless="a vhost-user backend is given memory alone, and without a fence there are none",
    on_fence=True,
)
