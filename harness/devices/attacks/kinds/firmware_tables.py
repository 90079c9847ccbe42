# SPDX-License-Identifier: Apache-2.0
"""Hit the firmware's own tables and registers."""

from harness.devices.attacks.attack import Attack, Outcome, Protection, Result
from harness.devices.attacks.scene import Scene
from harness.machine.fence import Register

JUNK = bytes.fromhex("a5") * 64


def run(scene: Scene) -> Result:
    """Write to every register and to the start of every table that the fence consists of."""
    fence = scene.guest.machine.fence
    assert fence is not None, "see expected below"
    registers = [one for one in fence.standing if one.width == 4]
    for register in registers:
        scene.rogue.write(register.address, _switched_off(register))
    for constant in fence.constants:
        scene.rogue.write(constant.address, JUNK)
    damaged = scene.guest.fence_damage()
    if damaged:
        return Result(Outcome.SUCCEEDED, damaged[0])
    count = f"{len(registers)} registers and {len(fence.constants)} tables"
    return Result(Outcome.STOPPED, f"{count} are as they were")


def _switched_off(register: Register) -> bytes:
    return bytes(register.width)


ATTACK = Attack(
    "writes to the firmware's tables and registers",
    run,
    {Protection.FENCE: Outcome.STOPPED, Protection.BOTH: Outcome.STOPPED},
    rogues=("edu", "nvme"),
    unless="a vhost-user backend is given memory alone, and without a fence there are none",
    on_fence=True,
)
