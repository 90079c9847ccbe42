# SPDX-License-Identifier: Apache-2.0
"""The messages of vhost-user, and a socket that carries them with their file descriptors.

Numbers and layouts: QEMU, docs/interop/vhost-user.rst. QEMU is the front-end, this is the
back-end; both are on one machine, so integers have its byte order, which is little-endian here.
"""

import array
import os
import socket
import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from harness.base.errors import ProtocolError


class Code(IntEnum):
    """What the front-end may say to this back-end."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    RESET_OWNER = 4
    SET_MEM_TABLE = 5
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    GET_VRING_BASE = 11
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    SET_VRING_ERR = 14
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    GET_QUEUE_NUM = 17
    SET_VRING_ENABLE = 18
    SEND_RARP = 19
    NET_SET_MTU = 20
    SET_BACKEND_REQ_FD = 21
    IOTLB_MSG = 22
    GET_CONFIG = 24
    SET_CONFIG = 25


CONFIG_CHANGE = 2
"""What the back-end says to the front-end of itself: read the configuration space again."""


class Feature(IntFlag):
    """Virtio features that concern the transport (and vhost-user's own bit 30)."""

    INDIRECT_DESC = 1 << 28
    PROTOCOL_FEATURES = 1 << 30
    VERSION_1 = 1 << 32
    ACCESS_PLATFORM = 1 << 33


class ProtocolFeature(IntFlag):
    """Extensions of the protocol itself."""

    MQ = 1 << 0
    REPLY_ACK = 1 << 3
    BACKEND_REQ = 1 << 5
    CONFIG = 1 << 9


class Flag(IntFlag):
    """The header's flags; the lowest two bits are the version."""

    VERSION = 1
    REPLY = 1 << 2
    NEED_REPLY = 1 << 3


HEADER = struct.Struct("<III")
"""code, flags, size of the payload in bytes."""

U64 = struct.Struct("<Q")
RING_STATE = struct.Struct("<II")
"""ring, number."""

RING_ADDRESS = struct.Struct("<IIQQQQ")
"""ring, flags, descriptors, used, available, log; QEMU writes the used ring's guest-physical
address as the log's (hw/virtio/vhost.c:vhost_virtqueue_set_addr)."""

TABLE_HEAD, TABLE_ENTRY = struct.Struct("<II"), struct.Struct("<QQQQ")
"""regions and padding; of each: guest-physical base, size, address in QEMU, offset in the file."""

CONFIG = struct.Struct("<III")
"""offset, size, flags; the bytes follow."""

RING_MASK, NO_FILE = 0xFF, 1 << 8
"""In the payload of SET_VRING_KICK, _CALL and _ERR."""

PAYLOAD_LIMIT = 4096
"""Bytes; the longest message that is understood here, SET_MEM_TABLE, has 264."""

FILES_LIMIT = 8
"""File descriptors with a message (VHOST_MEMORY_BASELINE_NREGIONS)."""


@dataclass(frozen=True)
class Message:
    """One message. Its handler owns its open *files*."""

    code: int
    flags: int
    payload: bytes
    files: tuple[int, ...] = ()

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        """The numbers at the payload's begin; raises ProtocolError when it is too short."""
        if len(self.payload) < layout.size:
            raise ProtocolError(
                f"vhost-user message {self.code} has {len(self.payload)} bytes of payload, "
                f"fewer than {layout.size}"
            )
        return layout.unpack_from(self.payload)

    @property
    def number(self) -> int:
        """A payload of one 64-bit number."""
        return self.unpack(U64)[0]


def pack(code: int, payload: bytes, flags: int = Flag.VERSION | Flag.REPLY) -> bytes:
    """The bytes of a message; of a reply, unless the *flags* say otherwise."""
    return HEADER.pack(code, flags, len(payload)) + payload


class MessageStream:
    """Messages out of a non-blocking stream *connection*.

    It never reads beyond the message at hand, as only so it is known which message a file
    descriptor came with.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self._data, self._files = b"", list[int]()

    def receive(self) -> Message | None:
        """The next message, None when the rest of it has not come yet.

        Raises EOFError when the front-end has hung up, ProtocolError when it speaks another
        protocol.
        """
        while True:
            missing = self._missing()
            if missing == 0:
                return self._finish()
            try:
                data, ancillary, _, _ = self.connection.recvmsg(missing, _FILES_SPACE)
            except BlockingIOError:
                return None
            except ConnectionError as fault:
                raise EOFError from fault
            self._files += _files_in(ancillary)
            if not data:
                raise EOFError
            self._data += data

    def send(self, message: bytes) -> None:
        """Send a message; each is far smaller than a socket's buffer, so none has to wait."""
        try:
            self.connection.sendall(message)
        except ConnectionError as fault:
            raise EOFError from fault

    def close(self) -> None:
        """Hang up, and close the files of a message that never came whole."""
        self.connection.close()
        _close(self._files)
        self._files = []

    def _missing(self) -> int:
        if len(self._data) < HEADER.size:
            return HEADER.size - len(self._data)
        _, flags, size = HEADER.unpack_from(self._data)
        if flags & 0b11 != Flag.VERSION or size > PAYLOAD_LIMIT:
            raise ProtocolError(
                f"not the header of a vhost-user message: {self._data[: HEADER.size].hex(' ')}"
            )
        return HEADER.size + int(size) - len(self._data)

    def _finish(self) -> Message:
        code, flags, _ = HEADER.unpack_from(self._data)
        message = Message(code, flags, self._data[HEADER.size :], tuple(self._files))
        self._data, self._files = b"", []
        return message


_FILES_SPACE = socket.CMSG_SPACE(FILES_LIMIT * array.array("i").itemsize)


def _files_in(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    files = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            files.frombytes(data[: len(data) // files.itemsize * files.itemsize])
    return list(files)


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)
