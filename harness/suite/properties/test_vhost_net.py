# SPDX-License-Identifier: Apache-2.0
"""Property A14: a vhost-user network card of the harness, with virtio-net bound to it."""

import pytest

from harness.devices.rogue.vhost import Network, VhostRogue
from harness.devices.shell import shell
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.machine.shape import NO_POOL
from harness.suite.lib.expect import equal, require
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
"""The EtherType of ARP (RFC 826), at byte 12 of a frame."""


@pytest.mark.property("A14", "B1")
def test_frames_go_both_ways_through_the_pool(guest: Guest, pool: Pool) -> None:
    """virtio-net sends and receives frames through buffers in the pool."""
    card = Network(reflect=True)
    rogue = VhostRogue(guest, card)

    shell(guest, f"{UP}; {PING}")

    types = [frame[12:14].hex() for frame in card.frames]
    require(ARP.hex() in types, "an ARP frame (0806) sent", f"frames of types {types}")
    require(int(shell(guest, RECEIVED)), "frames received", "0")
    buffers_in_pool(rogue, pool)


@pytest.mark.property("A14", "B1", control=True)
@pytest.mark.parametrize("shape", [NO_POOL])
@pytest.mark.tries("its rings are outside the window")
def test_without_a_pool_the_driver_hands_out_ordinary_memory(guest: Guest) -> None:
    """The same card behind the same fence cannot read its rings when there is no pool."""
    card = Network(reflect=True)
    rogue = VhostRogue(guest, card)

    shell(guest, f"{UP}; {PING}")

    equal(len(card.frames), 0, "frames sent")
    require(rogue.refusals(), "refused accesses of the card", "none")
