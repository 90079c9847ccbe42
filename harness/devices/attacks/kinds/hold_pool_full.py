# SPDX-License-Identifier: Apache-2.0
"""Exhaust the pool: hold requests forever, so that other drivers cannot map."""

from harness.devices.attacks.attack import Attack, Effect, Observation, Protection
from harness.devices.attacks.context import VICTIM, Context
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
"""Bytes in requests after which few gaps are left that a mapping of a slot set fits into."""


def run(context: Context) -> Observation:
    """Complete none of many reads of a disk, then let another device's driver map a buffer."""
    rogue = context.rogue
    assert isinstance(rogue, VhostRogue), "see rogues below"
    rogue.on_request = mutations.hold
    context.sh(READ)

    def held() -> int:
        return sum(buffer.size for one in rogue.held for buffer in one.writable)

    rogue.wait_for("requests for most of the pool", lambda: held() >= ENOUGH)
    wanted = context.guest.machine.geometry.slot_set
    device, most = context.probe.device(VICTIM), 1 + (POOL_SIZE - ENOUGH) // wanted
    for mapped in range(most):
        try:
            device.map_single(context.probe.buffer(wanted), Direction.TO_DEVICE)
        except MappingError:
            what = f"{held() >> 20} MiB are held; another driver could map {mapped} slot sets"
            return Observation(Effect.SUCCEEDED, what)
    return Observation(Effect.STOPPED, f"{held() >> 20} MiB are held; another driver can still map")


ATTACK = Attack(
    "holds requests until the pool is full, for others too",
    run,
    {
        Protection.NOTHING: Effect.STOPPED,
        Protection.POOL: Effect.SUCCEEDED,
        Protection.BOTH: Effect.SUCCEEDED,
    },
    rogues=("blk",),
    unless="it takes a driver with many requests at once that reaches the device",
)
