# SPDX-License-Identifier: Apache-2.0
"""Patch kernel data: the release string."""

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Observation
from harness.devices.attacks.context import Context
from harness.devices.attacks.judging import damage

WORD = b"PWNED\0"
UNIT = 4
"""Bytes that every rogue can write alone."""


def run(context: Context) -> Observation:
    """Rewrite what ``uname -r`` prints."""
    release = context.phys(context.types.program["init_uts_ns"].name.release)
    place, before = release - release % UNIT, bytes(release % UNIT)
    data = before + WORD
    context.rogue.write(place, data + bytes(-len(data) % UNIT))
    seen = context.sh("uname -r")
    return damage(context, place, data, seen == "PWNED", f"'uname -r' says {seen}")


ATTACK = Attack("rewrites the kernel's release string", run, ON_KERNEL_MEMORY)
