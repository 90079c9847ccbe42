# SPDX-License-Identifier: Apache-2.0
"""Records of ``/dev/probe``: the mirror image of ``guest/probe/protocol.h``."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from harness.base.errors import ProtocolError

ANSWER_MAX = 32 * 1024
"""Bytes of payload in one reply; ``PROBE_ANSWER_MAX``."""

CONTEXTS = 64
"""Independent sets of handles; ``PROBE_CONTEXTS``."""

HANDLES = 1 << 16
"""Handles of one kind in one context."""

LEAKED = CONTEXTS
"""Stands in place of a context for what was leaked; ``PROBE_LEAKED``."""

GUARD_WORD = 0x9DC1A7E5
"""What the guards around buffers are filled with, over and over; ``PROBE_GUARD_WORD``."""


class Op(IntEnum):
    """``enum probe_op``."""

    CONTEXT = 1
    RESET = 2
    DEVICES = 3
    DEVICE_INFO = 4
    DEVICE_SET = 5
    BUFFER_ALLOC = 6
    BUFFER_FREE = 7
    FILL = 8
    COMPARE = 9
    WRITE = 10
    READ = 11
    MAP = 12
    MAP_RESOURCE = 13
    MAP_SG = 14
    UNMAP = 15
    SYNC = 16
    NEED_SYNC = 17
    ALLOC = 18
    FREE = 19
    FORGET = 20
    LIVE = 21
    RAW_UNMAP = 22
    RAW_SYNC = 23
    TRY_MAP = 24
    VERIFY = 25
    HELD = 26
    INTERRUPT = 27


class Space(IntEnum):
    """What a handle names: ``enum probe_space``."""

    BUFFER = 1
    MAPPING = 2
    ALLOCATION = 3


class SyncTarget(IntEnum):
    """Who may touch a mapping next: ``enum probe_sync_target``."""

    CPU = 1
    DEVICE = 2


class MapCall(IntEnum):
    """The function that maps: ``enum probe_map_call``."""

    SINGLE = 1
    PAGE = 2


class Setting(IntEnum):
    """A parameter of a device: ``enum probe_setting``."""

    DMA_MASK = 1
    COHERENT_MASK = 2
    MIN_ALIGN_MASK = 3
    SEG_BOUNDARY = 4
    MAX_SEG_SIZE = 5
    BUS_MASTER = 6
    LEAK = 7
    REGION = 8
    NO_REGIONS = 9


ID = struct.Struct("<H")
COUNT = struct.Struct("<I")
FLAG = struct.Struct("<B")
DEVICE_INFO = struct.Struct("<BBQQQQII")
DEVICE_SET = struct.Struct("<HBQ")
BUFFER_ALLOC = struct.Struct("<HBI")
PLACE = struct.Struct("<QQ")
OBJECT = struct.Struct("<BH")
RANGE = struct.Struct("<BHII")
PATTERN = struct.Struct("<BHIIBI")
MAP = struct.Struct("<HHBBHHII")
MAP_RESOURCE = struct.Struct("<HHBHQI")
MAPPED = struct.Struct("<QQ")
MAP_SG = struct.Struct("<HHBH")
SG_ENTRY = struct.Struct("<HII")
SEGMENT = struct.Struct("<QQI")
UNMAP = struct.Struct("<HH")
SYNC = struct.Struct("<HBII")
ALLOC = struct.Struct("<HHBBBHI")
ALLOCATED = struct.Struct("<QQQ")
LIVE = struct.Struct("<HHQI")
HELD_FROM = struct.Struct("<BBH")
HELD = struct.Struct("<BBHHQI")
INTERRUPT = struct.Struct("<HHI")
RAW_UNMAP = struct.Struct("<HQIBH")
RAW_SYNC = struct.Struct("<HBQIB")

_REQUEST_HEAD = struct.Struct("<BH")
_REPLY_HEAD = struct.Struct("<hH")


@dataclass(frozen=True)
class Reply:
    """A reply: status 0, a negative errno of the kernel's or a positive refusal of the probe's."""

    status: int
    payload: bytes


def encode_request(op: Op, payload: bytes) -> bytes:
    """One request record."""
    return _REQUEST_HEAD.pack(op, len(payload)) + payload


def parse_replies(replies: bytes) -> Iterator[Reply]:
    """The reply records in the order of their requests; raises ProtocolError if cut short."""
    at = 0
    while at < len(replies):
        if len(replies) < at + _REPLY_HEAD.size:
            raise ProtocolError(f"the probe's replies end within a head, at byte {at}")
        status, length = _REPLY_HEAD.unpack_from(replies, at)
        at += _REPLY_HEAD.size
        if len(replies) < at + length:
            raise ProtocolError(f"the probe's replies end within {length} bytes at byte {at}")
        yield Reply(status, replies[at : at + length])
        at += length
