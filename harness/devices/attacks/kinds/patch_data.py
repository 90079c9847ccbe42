# SPDX-License-Identifier: Apache-2.0
"""Patch kernel data: the release string."""

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Result
from harness.devices.attacks.scene import Scene
from harness.devices.attacks.verdicts import damage

WORD = b"PWNED\0"
UNIT = 4
"""Bytes that every rogue can write alone."""


def run(scene: Scene) -> Result:
    """Rewrite what ``uname -r`` prints."""
    release = scene.phys(scene.types.program["init_uts_ns"].name.release)
    place, before = release - release % UNIT, bytes(release % UNIT)
    data = before + WORD
    scene.rogue.write(place, data + bytes(-len(data) % UNIT))
    seen = scene.sh("uname -r")
    return damage(scene, place, data, seen == "PWNED", f"'uname -r' says {seen}")


ATTACK = Attack("rewrites the kernel's release string", run, ON_KERNEL_MEMORY)
