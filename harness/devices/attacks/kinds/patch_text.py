# SPDX-License-Identifier: Apache-2.0
"""Patch kernel text: a system call does what the device wants."""

import struct

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Observation
from harness.devices.attacks.context import Context
from harness.devices.attacks.judging import damage

FAKE = 0o33
CODE = struct.pack("<II", 0x5280_0000 | FAKE << 5, 0xD65F_03C0)
"""``mov w0, #0o33; ret`` (Arm ARM, C6.2)."""

CALL = "__arm64_sys_umask"
"""Nothing in the guest calls it before ``umask`` does: of code that has run TCG keeps a
translation, which does not change with memory."""


def run(context: Context) -> Observation:
    """Rewrite the system call that tells a process its mask of permissions."""
    place = context.types.image.to_phys(context.types.symbols.address(CALL))
    context.rogue.write(place, CODE)
    seen = context.sh("umask")
    return damage(context, place, CODE, seen == f"{FAKE:04o}", f"'umask' says {seen}")


ATTACK = Attack("rewrites a system call's instructions", run, ON_KERNEL_MEMORY)
