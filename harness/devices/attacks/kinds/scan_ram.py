# SPDX-License-Identifier: Apache-2.0
"""Scan all of RAM for a canary."""

import secrets

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Effect, Observation
from harness.devices.attacks.context import Context

CANARY_SIZE = 16
SPREAD = 32 << 20
"""Bytes of the file, an eighth of the smallest RAM: no look at every megabyte misses that."""

STEP = 1 << 20


def run(context: Context) -> Observation:
    """Search for a file whose pages each begin with a canary.

    Where an SMMU refuses, QEMU writes a line for every four bytes: there only the start of
    every megabyte is read.
    """
    canary = secrets.token_bytes(CANARY_SIZE)
    context.guest.agent.write_file("/tmp/a", canary + bytes(context.page - CANARY_SIZE))
    doublings = (SPREAD // context.page).bit_length() - 1
    context.sh(
        f"for i in $(seq {doublings}); do cat /tmp/a /tmp/a > /tmp/b; mv /tmp/b /tmp/a; done"
    )
    length = CANARY_SIZE if "smmu" in context.guest.machine.board else STEP
    found = [
        place
        for span in context.memory.ranges
        for place in range(span.base, span.end, STEP)
        if canary in context.rogue.read(place, min(length, span.end - place))
    ]
    if found:
        return Observation(
            Effect.SUCCEEDED, f"found in {len(found)} MiB of RAM, {found[0]:#x} first"
        )
    return Observation(Effect.STOPPED, "found nowhere")


ATTACK = Attack(
    "scans all of RAM for a canary",
    run,
    ON_KERNEL_MEMORY,
    rogues=("nvme", "rng"),
    unless="edu would need a minute for it",
)
