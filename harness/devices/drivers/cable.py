# SPDX-License-Identifier: Apache-2.0
"""The other end of a network card's cable: it sends pings and counts the answers.

QEMU passes each frame on as one datagram (``-netdev dgram``, qapi/net.json, since 7.2).
"""

import contextlib
import socket
import struct
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from types import MappingProxyType

from harness.base.space import KIB
from harness.devices.drivers.work import GATEWAY, OWN

OUR_CARD = "52:55:0a:00:02:02"

ETHERNET = struct.Struct(">6s6sH")
IPV4, IPV4_TYPE = struct.Struct(">BBHHHBBH4s4s"), 0x0800
"""Ethernet's header, and IPv4's without options (RFC 894, RFC 791)."""

ECHO, ECHO_REQUEST, ECHO_REPLY, ICMP = struct.Struct(">BBHHH"), 8, 0, 1
"""The header of a ping (RFC 792)."""

HEADERS = ETHERNET.size + IPV4.size + ECHO.size


class Cable:
    """Carries frames of the card that QEMU gives :attr:`netdev`; its sockets lie in *directory*."""

    def __init__(self, directory: Path) -> None:
        self._card, self._ours = directory / "card.sock", directory / "cable.sock"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(str(self._ours))
        self._numbers = count()
        self._answers = 0

    @property
    def netdev(self) -> Mapping[str, object]:
        """The arguments of QMP's ``netdev_add``, without the id."""
        local, remote = ({"type": "unix", "path": str(path)} for path in (self._card, self._ours))
        return MappingProxyType({"type": "dgram", "local": local, "remote": remote})

    @property
    def set_up(self) -> str:
        """The guest's command that sets up card ``$card`` and makes our address known to it."""
        return f"ifconfig $card {OWN} up && arp -i $card -s {GATEWAY} {OUR_CARD}"

    def ping(self, card: str, size: int) -> None:
        """Send a frame of *size* bytes that the kernel itself answers with one of that size.

        *card* is the address of the guest's card, as ``52:54:00:12:34:56``.
        """
        data = bytes(size - HEADERS)
        number = next(self._numbers) & 0xFFFF
        checksum = _checksum(ECHO.pack(ECHO_REQUEST, 0, 0, 1, number) + data)
        message = ECHO.pack(ECHO_REQUEST, 0, checksum, 1, number) + data
        addresses = (socket.inet_aton(GATEWAY), socket.inet_aton(OWN))
        length = IPV4.size + len(message)
        parts = (0x45, 0, length, number, 0, 64, ICMP)  # version and words of the header; hops
        head = IPV4.pack(*parts, _checksum(IPV4.pack(*parts, 0, *addresses)), *addresses)
        link = ETHERNET.pack(_card(card), _card(OUR_CARD), IPV4_TYPE)
        self._socket.sendto(link + head + message, str(self._card))

    @property
    def answers(self) -> int:
        """How many pings were answered so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._answers += _is_answer(self._socket.recv(64 * KIB))
        return self._answers

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _is_answer(frame: bytes) -> bool:
    """Whether a frame is the answer to a ping."""
    if len(frame) < HEADERS:
        return False
    *_, kind = ETHERNET.unpack_from(frame)
    protocol = IPV4.unpack_from(frame, ETHERNET.size)[6]
    message, *_ = ECHO.unpack_from(frame, ETHERNET.size + IPV4.size)
    return (kind, protocol, message) == (IPV4_TYPE, ICMP, ECHO_REPLY)


def _card(address: str) -> bytes:
    return bytes.fromhex(address.replace(":", ""))


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    words = struct.unpack(f">{-(-len(data) // 2)}H", data + bytes(len(data) % 2))
    total: int = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
