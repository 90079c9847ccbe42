# SPDX-License-Identifier: Apache-2.0
"""Rewrite ring descriptors between check and use."""

from harness.devices.attacks.attack import Attack, Outcome, Protection, Result
from harness.devices.attacks.scene import PAGE, Scene
from harness.devices.rogue.vhost import VhostRogue, mutations

READ = "dd if={} bs=512 count=1 {} 2> /dev/null | md5sum"
SOURCES = {"rng": ("/dev/hwrng", ""), "blk": ("/dev/vda", "iflag=direct")}


def run(scene: Scene) -> Result:
    """Before each completion have the descriptors point at a secret, four gigabytes of it.

    A driver that reads its own descriptors back ends the wrong mapping, and copies what is there.
    """
    rogue = scene.rogue
    assert isinstance(rogue, VhostRogue), "see rogues below"
    command = READ.format(*SOURCES[rogue.device.kind])
    secret, place = scene.secret_file()
    honest = scene.sh(command)
    rogue.on_request = mutations.rewritten(address=place, size=0xFFFF_FFFF, flags=0, then=0xFFFF)
    before = len(rogue.requests)
    seen = scene.sh(command)
    if len(rogue.requests) == before:
        return Result(Outcome.STOPPED, "the driver never asked the device")
    intact = secret * (PAGE // len(secret)) == scene.memory.read(place, PAGE)
    if seen != honest or not intact:
        return Result(Outcome.SUCCEEDED, f"the driver took it for true: {seen}, secret {intact=}")
    return Result(Outcome.STOPPED, "the driver goes by its own copy of what it wrote there")


ATTACK = Attack(
    "rewrites a request's descriptors before completing it",
    run,
    {
        Protection.NOTHING: Outcome.STOPPED,
        Protection.POOL: Outcome.STOPPED,
        Protection.BOTH: Outcome.STOPPED,
    },
    rogues=("rng", "blk"),
    unless="only virtio has descriptors in shared memory, and without a pool a fence hides them",
)
