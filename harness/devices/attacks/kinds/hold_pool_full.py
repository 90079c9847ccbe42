# SPDX-License-Identifier: Apache-2.0
"""Hold the pool full: requests that never end, so that nobody else gets memory."""

from harness.devices.attacks.attack import Attack, Outcome, Protection, Result
from harness.devices.attacks.scene import VICTIM, Scene
from harness.devices.probe import Direction, MappingError
from harness.devices.rogue.vhost import VhostRogue, mutations

READERS = 40
READ = f"""
for i in $(seq {READERS}); do
    dd if=/dev/vda of=/dev/null bs=1M count=1 iflag=direct > /dev/null 2>&1 &
done
"""
POOL_SIZE = 16 << 20
ENOUGH = 12 << 20
"""Bytes in requests after which few gaps are left that a mapping of *WANTED* bytes fits into."""

WANTED = 256 << 10


def run(scene: Scene) -> Result:
    """Complete none of many reads of a disk, then let another device's driver map a buffer."""
    rogue = scene.rogue
    assert isinstance(rogue, VhostRogue), "see rogues below"
    rogue.on_request = mutations.hold
    scene.sh(READ)

    def held() -> int:
        return sum(buffer.size for one in rogue.held for buffer in one.writable)

    rogue.wait_for("requests for most of the pool", lambda: held() >= ENOUGH)
    device, most = scene.probe.device(VICTIM), 1 + (POOL_SIZE - ENOUGH) // WANTED
    for mapped in range(most):
        try:
            device.map_single(scene.probe.buffer(WANTED), Direction.TO_DEVICE)
        except MappingError:
            what = f"{held() >> 20} MiB are held; another driver could map {mapped} times 256 KiB"
            return Result(Outcome.SUCCEEDED, what)
    return Result(Outcome.STOPPED, f"{held() >> 20} MiB are held; another driver maps as ever")


ATTACK = Attack(
    "holds requests until the pool is full, for others too",
    run,
    {
        Protection.NOTHING: Outcome.STOPPED,
        Protection.POOL: Outcome.SUCCEEDED,
        Protection.BOTH: Outcome.SUCCEEDED,
    },
    rogues=("blk",),
    unless="it takes a driver with many requests at once that reaches the device",
)
