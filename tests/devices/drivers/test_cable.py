# SPDX-License-Identifier: Apache-2.0
"""The other end of a network card's cable."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.devices.drivers import Cable

CARD = "52:54:00:12:34:56"
ETHERNET, IPV4, ECHO_TYPE = 14, 20, 34
"""Bytes before the headers of IPv4 and of the ping, and where the ping's type is."""


@pytest.fixture
def cable(tmp_path: Path) -> Iterator[Cable]:
    """A cable whose other socket is *card*."""
    made = Cable(tmp_path)
    yield made
    made.close()


@pytest.fixture
def card(cable: Cable) -> Iterator[socket.socket]:
    """What QEMU binds for the card."""
    local = cable.netdev["local"]
    assert isinstance(local, dict)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(local["path"])
        yield bound


def ones_complement_sum(data: bytes) -> int:
    """Of 16-bit words: all bits set where a checksum is right (RFC 1071)."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    return total % 0xFFFF or 0xFFFF


@pytest.mark.parametrize("size", [42, 64, 1024])
def test_a_ping_is_a_frame_with_right_checksums(
    cable: Cable, card: socket.socket, size: int
) -> None:
    """Of the size asked for, to the card, both checksums right, and with other bytes each time."""
    cable.ping(CARD, size)
    cable.ping(CARD, size)
    frame, other = card.recv(4096), card.recv(4096)

    assert len(frame) == size
    assert frame[:6] == bytes.fromhex("525400123456")
    assert ones_complement_sum(frame[ETHERNET : ETHERNET + IPV4]) == 0xFFFF
    assert ones_complement_sum(frame[ETHERNET + IPV4 :]) == 0xFFFF
    assert frame != other


def test_only_answers_to_pings_are_counted(cable: Cable, card: socket.socket) -> None:
    """What else a kernel sends by itself is no answer."""
    remote = cable.netdev["remote"]
    assert isinstance(remote, dict)
    cable.ping(CARD, 64)
    request = bytearray(card.recv(4096))
    answer = bytes(request[:ECHO_TYPE]) + b"\0" + bytes(request[ECHO_TYPE + 1 :])
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    udp = answer[:23] + b"\x11" + answer[24:]
    for frame in (bytes(request), arp, udp, b"short", answer):
        card.sendto(frame, remote["path"])

    assert cable.answers == 1
    card.sendto(answer, remote["path"])
    assert cable.answers == 2
