# SPDX-License-Identifier: Apache-2.0
"""A network card whose other end the harness is, with Linux's own driver bound to it."""

import pytest

from harness.devices.rogue.vhost import Network, VhostRogue
from harness.devices.shell import shell
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.suite.lib.vhost_work import buffers_in_pool

pytestmark = [
    pytest.mark.nightly("a kernel of its own"),
    pytest.mark.parametrize("flavour", ["drivers"]),
    pytest.mark.parametrize("fence_name", ["split"]),
]

CARD = "$(ls /sys/class/net | grep -v '^lo$')"
UP = f"ip addr add 10.0.2.15/24 dev {CARD} && ip link set {CARD} up"
PING = "ping -c 1 -W 1 10.0.2.2 > /dev/null || true"
RECEIVED = f"cat /sys/class/net/{CARD}/statistics/rx_packets"

ARP = bytes.fromhex("0806")
"""The type of the frame that asks who has an address (RFC 826), from byte 12 on."""


@pytest.mark.property("A14", "B1")
def test_frames_go_both_ways_through_the_pool(guest: Guest, pool: Pool) -> None:
    """What the driver sends comes out of the pool, and what it is sent is put there."""
    card = Network(reflect=True)
    rogue = VhostRogue(guest, card)

    shell(guest, f"{UP}; {PING}")

    assert any(frame[12:14] == ARP for frame in card.frames)
    assert int(shell(guest, RECEIVED)) > 0
    buffers_in_pool(rogue, pool)


@pytest.mark.property("A14", "B1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.tries("its rings are not in the window")
def test_without_a_pool_the_driver_hands_out_ordinary_memory(guest: Guest) -> None:
    """The same card behind the same fence, and no pool: it cannot read its own rings."""
    card = Network(reflect=True)
    rogue = VhostRogue(guest, card)

    shell(guest, f"{UP}; {PING}")

    assert card.frames == []
    assert rogue.refusals()
