# SPDX-License-Identifier: Apache-2.0
"""Patch kernel text: a system call does what the device wants."""

import struct

from harness.attacks.attack import ON_KERNEL_MEMORY, Attack, Result
from harness.attacks.scene import Scene
from harness.attacks.verdicts import damage

FAKE_ID = 1337
CODE = struct.pack("<II", 0x5280_0000 | FAKE_ID << 5, 0xD65F_03C0)
"""``mov w0, #1337; ret`` (Arm ARM, C6.2)."""

CALL = "__arm64_sys_geteuid"
"""Nothing in the guest calls it before ``id`` does, so no translation of it is kept by TCG."""


def run(scene: Scene) -> Result:
    """Rewrite the system call that tells a process who it is."""
    place = scene.types.image.to_phys(scene.types.symbols.address(CALL))
    scene.rogue.write(place, CODE)
    seen = scene.sh("id -u")
    return damage(scene, place, CODE, seen == str(FAKE_ID), f"'id -u' says {seen}")


ATTACK = Attack("rewrites a system call's instructions", run, ON_KERNEL_MEMORY)
