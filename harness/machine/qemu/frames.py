# SPDX-License-Identifier: Apache-2.0
"""Frames on the agent's serial line; ``guest/agent/frame.h`` is the other end.

The framing is the HDLC-like one of RFC 1662: a flag byte ends a frame and never occurs
inside one, so garbage and truncated frames do not damage the next frame.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

PAYLOAD_MAX = 32768
"""Bytes of payload in one frame; ``FRAME_PAYLOAD_MAX`` in ``guest/agent/frame.h``."""

DEFLATED = 0x40
"""Added to the type of a frame whose payload is raw deflate data, RFC 1951."""

DEFLATE_FROM = 64
"""Payloads of at least so many bytes are deflated, if that makes them shorter."""

FLAG, ESCAPE = b"\x7e", b"\x7d"
_ESCAPED = {ESCAPE: b"\x7d\x5d", FLAG: b"\x7d\x5e"}
"""RFC 1662, section 4.2; the escape comes first, so that it is not escaped twice."""

_RAW = -15
"""The ``wbits`` of zlib for deflate data without header and trailer."""

_HEAD, _TAIL = struct.Struct("<BH"), struct.Struct("<I")
_LINE_MAX = 2 * (_HEAD.size + PAYLOAD_MAX + _TAIL.size)


class FrameType(IntEnum):
    """``enum frame_type`` of ``guest/agent/frame.h``."""

    HELLO = 0x01
    RUN = 0x02
    READ = 0x03
    WRITE = 0x04
    PROBE = 0x05
    STRESS = 0x06
    CHUNK = 0x81
    END = 0x82
    ERROR = 0x83
    READY = 0x84
    DAMAGED = 0x85


@dataclass(frozen=True)
class Frame:
    """One frame; *id* (0 to 65535) is that of the request, in its answer too."""

    type: FrameType
    id: int
    payload: bytes = b""

    def encode(self) -> bytes:
        """The bytes of the frame on the line, deflated if that makes it shorter.

        Each byte that the guest reads costs QEMU's UART about 20 us of processor time.
        """
        payload = _deflate(self.payload) if len(self.payload) >= DEFLATE_FROM else self.payload
        if len(payload) < len(self.payload):
            content = _HEAD.pack(self.type | DEFLATED, self.id) + payload
        else:
            content = _HEAD.pack(self.type, self.id) + self.payload
        content += _TAIL.pack(zlib.crc32(content))
        for byte, escaped in _ESCAPED.items():
            content = content.replace(byte, escaped)
        return FLAG + content + FLAG


@dataclass(frozen=True)
class Garbage:
    """Bytes between two flags that are not a valid frame."""

    content: bytes


class Receiver:
    """Splits the bytes of the line into frames and garbage."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, received: bytes) -> Iterator[Frame | Garbage]:
        """Yield the frames that *received* completes; keep at most the bytes of one frame."""
        *contents, rest = (self._rest + received).split(FLAG)
        self._rest = rest[: _LINE_MAX + 1]  # one byte too many is enough to be garbage
        yield from (_decode(content) for content in contents if content)


def _decode(escaped: bytes) -> Frame | Garbage:
    content = escaped
    for byte, pair in reversed(_ESCAPED.items()):
        content = content.replace(pair, byte)
    body, check = content[: -_TAIL.size], content[-_TAIL.size :]
    if len(body) < _HEAD.size or _TAIL.pack(zlib.crc32(body)) != check:
        return Garbage(escaped)
    kind, number = _HEAD.unpack_from(body)
    payload = body[_HEAD.size :]
    try:
        if kind & DEFLATED:
            return Frame(FrameType(kind - DEFLATED), number, zlib.decompress(payload, _RAW))
        return Frame(FrameType(kind), number, payload)
    except (ValueError, zlib.error):
        return Garbage(escaped)


def _deflate(payload: bytes) -> bytes:
    packer = zlib.compressobj(wbits=_RAW)
    return packer.compress(payload) + packer.flush()
