# SPDX-License-Identifier: Apache-2.0
"""The harness and the kernel module mean the same by the same bytes."""

import re
from enum import IntEnum
from struct import Struct

import pytest

from harness.base.errors import ProtocolError
from harness.base.paths import CHECKOUT
from harness.devices.probe import values, wire
from harness.devices.probe.pattern import Byte, PatternKind, Seed

HEADER = (CHECKOUT / "guest" / "probe" / "protocol.h").read_text()

SIZES = {"u8": 1, "__le16": 2, "__le32": 4, "__le64": 8}


def header_enum(name: str, prefix: str) -> dict[str, int]:
    body = re.search(rf"enum {name} {{(.*?)\n}};", HEADER, re.DOTALL)
    assert body
    names = re.findall(rf"^\s+PROBE_{prefix}(\w+)", body[1], re.MULTILINE)
    return {name: number for number, name in enumerate(names, start=1)}


def header_size(name: str) -> int:
    body = re.search(rf"struct {name} {{(.*?)\n}}", HEADER, re.DOTALL)
    assert body
    fields = re.findall(r"^\s+(?:struct )?(\w+) \w+;", body[1], re.MULTILINE)
    return sum(SIZES.get(field) or header_size(field) for field in fields)


@pytest.mark.parametrize(
    ("name", "prefix", "mirror"),
    [
        ("probe_op", "", wire.Op),
        ("probe_refusal", "", values.Refusal),
        ("probe_bus", "BUS_", values.Bus),
        ("probe_setting", "SET_", wire.Setting),
        ("probe_buffer_kind", "BUFFER_", values.BufferKind),
        ("probe_space", "SPACE_", wire.Space),
        ("probe_pattern_kind", "PATTERN_", PatternKind),
        ("probe_map_call", "CALL_", wire.MapCall),
        ("probe_sync_target", "SYNC_", wire.SyncTarget),
        ("probe_alloc_call", "ALLOC_", values.AllocCall),
        ("probe_gfp", "GFP_", values.Gfp),
    ],
)
def test_both_sides_count_alike(name: str, prefix: str, mirror: type[IntEnum]) -> None:
    assert header_enum(name, prefix) == {member.name: member.value for member in mirror}


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("probe_device_info", wire.DEVICE_INFO),
        ("probe_device_set", wire.DEVICE_SET),
        ("probe_buffer_alloc", wire.BUFFER_ALLOC),
        ("probe_place", wire.PLACE),
        ("probe_object", wire.OBJECT),
        ("probe_range", wire.RANGE),
        ("probe_pattern", wire.PATTERN),
        ("probe_map", wire.MAP),
        ("probe_map_resource", wire.MAP_RESOURCE),
        ("probe_mapped", wire.MAPPED),
        ("probe_map_sg", wire.MAP_SG),
        ("probe_sg_entry", wire.SG_ENTRY),
        ("probe_segment", wire.SEGMENT),
        ("probe_unmap", wire.UNMAP),
        ("probe_sync", wire.SYNC),
        ("probe_alloc", wire.ALLOC),
        ("probe_allocated", wire.ALLOCATED),
        ("probe_live", wire.LIVE),
        ("probe_held_from", wire.HELD_FROM),
        ("probe_held", wire.HELD),
        ("probe_interrupt", wire.INTERRUPT),
        ("probe_raw_unmap", wire.RAW_UNMAP),
        ("probe_raw_sync", wire.RAW_SYNC),
    ],
)
def test_both_sides_lay_records_out_alike(name: str, layout: Struct) -> None:
    assert header_size(name) == layout.size


def test_replies_are_told_apart() -> None:
    replies = b"\x00\x00\x02\x00ab" + b"\xf4\xff\x00\x00"

    assert list(wire.parse_replies(replies)) == [wire.Reply(0, b"ab"), wire.Reply(-12, b"")]


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_replies_that_are_cut_short_make_no_sense(cut: int) -> None:
    with pytest.raises(ProtocolError, match="end within"):
        list(wire.parse_replies(b"\x00\x00\x02\x00ab"[:cut]))


def test_a_seed_s_bytes_are_those_of_the_kernel_module() -> None:
    read_back = bytes.fromhex("dff48453bfb04db5")  # from a guest's buffer, filled from seed 7

    assert Seed(7).content(0, 8) == read_back


def test_a_seed_s_bytes_depend_on_their_place_alone() -> None:
    whole = Seed(0xDEADBEEF).content(0, 64)

    assert Seed(0xDEADBEEF).content(13, 30) == whole[13:43]


def test_a_byte_is_the_same_everywhere() -> None:
    assert Byte(0xA5).content(1000, 3) == b"\xa5\xa5\xa5"
