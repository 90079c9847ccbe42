# SPDX-License-Identifier: Apache-2.0
"""Forge an MSI: a write of four bytes that no driver ever mapped anything for."""

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Observation
from harness.devices.attacks.context import Context
from harness.devices.attacks.judging import damage
from harness.devices.rogue import EduRogue

VALUE = 0x4141
WRITTEN = VALUE.to_bytes(4, "little")


def run(context: Context) -> Observation:
    """Aim the device's own MSI at the kernel's release string."""
    assert isinstance(context.rogue, EduRogue), "see rogues below"
    before = context.sh("uname -r")
    place = context.phys(context.types.program["init_uts_ns"].name.release) & ~3
    context.rogue.forge_msi(place, VALUE)
    seen = context.sh("uname -r")
    return damage(context, place, WRITTEN, seen != before, f"'uname -r' says {seen!r}")


ATTACK = Attack(
    "aims its own MSI at kernel data",
    run,
    ON_KERNEL_MEMORY,
    rogues=("edu",),
    unless="only edu lets the harness write its MSI capability without a driver's knowledge",
)
