# SPDX-License-Identifier: Apache-2.0
"""Records of ``/dev/probe``: requests, replies, and the numbers in them."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from harness.base.errors import ProtocolError
from harness.devices.probe.protocol import constant, operations, record

ANSWER_MAX = constant("PROBE_ANSWER_MAX")
"""Bytes of payload in one reply."""

CONTEXTS = constant("PROBE_CONTEXTS")
"""Independent sets of handles."""

HANDLES = 1 << 16
"""Handles of one kind in one context."""

LEAKED = CONTEXTS
"""Stands in place of a context for what was leaked; ``PROBE_LEAKED``."""

GUARD_WORD = constant("PROBE_GUARD_WORD")
"""What the guards around buffers are filled with, over and over."""


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
    PHYS = 3


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


FLAG = struct.Struct("<B")
ID = record("probe_id")
COUNT = record("probe_count")
DEVICE_INFO = record("probe_device_info")
DEVICE_SET = record("probe_device_set")
BUFFER_ALLOC = record("probe_buffer_alloc")
PLACE = record("probe_place")
OBJECT = record("probe_object")
RANGE = record("probe_range")
PATTERN = record("probe_pattern")
MAP = record("probe_map")
MAP_RESOURCE = record("probe_map_resource")
MAPPED = record("probe_mapped")
MAP_SG = record("probe_map_sg")
SG_ENTRY = record("probe_sg_entry")
SEGMENT = record("probe_segment")
UNMAP = record("probe_unmap")
SYNC = record("probe_sync")
ALLOC = record("probe_alloc")
ALLOCATED = record("probe_allocated")
LIVE = record("probe_live")
HELD = record("probe_held")
INTERRUPT = record("probe_interrupt")
RAW_UNMAP = record("probe_raw_unmap")
RAW_SYNC = record("probe_raw_sync")

_REQUEST_HEAD, _REPLY_HEAD = record("probe_request_head"), struct.Struct("<hH")
"""A status is negative where the kernel failed; the header has it as the bytes of that."""


@dataclass(frozen=True)
class Reply:
    """A reply: status 0, a negative errno of the kernel's or a positive refusal of the probe's."""

    status: int
    payload: bytes


def encode_request(op: str, payload: bytes) -> bytes:
    """One request record of the operation of that name."""
    return _REQUEST_HEAD.pack(operations()[op].number, len(payload)) + payload


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


def parse_requests(batch: bytes) -> Iterator[tuple[str, bytes]]:
    """Operation and payload of each request record; raises ProtocolError if cut short."""
    names = {one.number: one.name for one in operations().values()}
    at = 0
    while at < len(batch):
        head = batch[at : at + _REQUEST_HEAD.size]
        number, length = _REQUEST_HEAD.unpack(head.ljust(_REQUEST_HEAD.size, b"\0"))
        at += _REQUEST_HEAD.size
        if number not in names or len(batch) < at + length:
            raise ProtocolError(f"the batch has no whole request at byte {at}")
        yield names[number], batch[at : at + length]
        at += length
