# SPDX-License-Identifier: Apache-2.0
"""The harness and the kernel module mean the same by the same bytes."""

import re
from enum import IntEnum
from pathlib import Path

import pytest

from harness.base.errors import InputError, ProtocolError
from harness.devices.probe import calls, protocol, values, wire
from harness.devices.probe.pattern import Byte, PatternKind, Seed


@pytest.mark.parametrize(
    ("name", "prefix", "mirror"),
    [
        ("probe_refusal", "PROBE_", values.ProbeRefusal),
        ("probe_bus", "PROBE_BUS_", values.Bus),
        ("probe_setting", "PROBE_SET_", wire.Setting),
        ("probe_buffer_kind", "PROBE_BUFFER_", values.BufferKind),
        ("probe_space", "PROBE_SPACE_", wire.Space),
        ("probe_pattern_kind", "PROBE_PATTERN_", PatternKind),
        ("probe_map_call", "PROBE_CALL_", wire.MapCall),
        ("probe_sync_target", "PROBE_SYNC_", wire.SyncTarget),
        ("probe_alloc_call", "PROBE_ALLOC_", values.AllocCall),
        ("probe_gfp", "PROBE_GFP_", values.Gfp),
    ],
)
def test_both_sides_count_alike(name: str, prefix: str, mirror: type[IntEnum]) -> None:
    assert protocol.codes(name, prefix) == {member.name: member.value for member in mirror}


@pytest.mark.parametrize(
    ("name", "layout"),
    [
        ("probe_nothing", "<"),
        ("probe_id", "<H"),
        ("probe_device_info", "<BBQQQQII"),
        ("probe_pattern", "<BHIIBI"),
        ("probe_map_sg", "<HHBH"),
        ("probe_held", "<BBHHQI"),
    ],
)
def test_a_record_is_laid_out_as_the_header_says(name: str, layout: str) -> None:
    assert protocol.record(name).format == layout


def test_operations_are_numbered_from_1_in_the_order_of_the_table() -> None:
    numbers = [(one.name, one.number) for one in protocol.operations().values()]

    assert numbers[:3] == [("CONTEXT", 1), ("RESET", 2), ("DEVICES", 3)]
    assert [number for _, number in numbers] == list(range(1, len(numbers) + 1))


def test_every_operation_can_be_called() -> None:
    source = Path(calls.__file__).read_text()

    named = set(re.findall(r'"([A-Z_]{2,})"', source))

    assert named | {"CONTEXT"} == set(protocol.operations())  # a session begins with a context


def test_constants_are_read_from_the_header() -> None:
    assert (wire.ANSWER_MAX, wire.CONTEXTS, wire.GUARD_WORD) == (32 << 10, 64, 0x9DC1A7E5)


def test_a_record_that_the_header_lacks_is_an_error() -> None:
    with pytest.raises(InputError, match="probe_dance"):
        protocol.record("probe_dance")


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
