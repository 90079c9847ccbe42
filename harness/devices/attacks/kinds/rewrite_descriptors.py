# SPDX-License-Identifier: Apache-2.0
"""Rewrite ring descriptors between check and use."""

from harness.devices.attacks.attack import Attack, Effect, Observation, Protection
from harness.devices.attacks.context import Context
from harness.devices.rogue.vhost import VhostRogue, mutations

READ = "dd if={} bs=512 count=1 {} 2> /dev/null | md5sum"
SOURCES = {"rng": ("/dev/hwrng", ""), "blk": ("/dev/vda", "iflag=direct")}


def run(context: Context) -> Observation:
    """Before each completion have the descriptors point at a secret, four gigabytes of it.

    A driver that reads its own descriptors back ends the wrong mapping, and copies what is there.
    """
    rogue = context.rogue
    assert isinstance(rogue, VhostRogue), "see rogues below"
    command = READ.format(*SOURCES[rogue.device.kind])
    secret, place = context.secret_file()
    honest = context.sh(command)
    rogue.on_request = mutations.rewritten(address=place, size=0xFFFF_FFFF, flags=0, then=0xFFFF)
    before = len(rogue.requests)
    seen = context.sh(command)
    if len(rogue.requests) == before:
        return Observation(Effect.STOPPED, "the driver never asked the device")
    intact = secret == context.memory.read(place, len(secret))
    if seen != honest or not intact:
        return Observation(
            Effect.SUCCEEDED, f"the driver took it for true: {seen}, secret {intact=}"
        )
    return Observation(Effect.STOPPED, "the driver goes by its own copy of what it wrote there")


ATTACK = Attack(
    "rewrites a request's descriptors before completing it",
    run,
    {
        Protection.NOTHING: Effect.STOPPED,
        Protection.POOL: Effect.STOPPED,
        Protection.BOTH: Effect.STOPPED,
    },
    rogues=("rng", "blk"),
    unless="only virtio has descriptors in shared memory, and without a pool a fence hides them",
)
