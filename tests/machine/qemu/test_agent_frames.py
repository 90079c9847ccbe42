# SPDX-License-Identifier: Apache-2.0
"""Frames survive whatever else is on the line."""

import os
import random
import re

import pytest

from harness.base.paths import CHECKOUT
from harness.machine.qemu.frames import (
    DEFLATED,
    FLAG,
    PAYLOAD_MAX,
    Frame,
    FrameType,
    Garbage,
    Receiver,
)

WHOLE = Frame(FrameType.RUN, 7, b"uname -r")


def received(line: bytes) -> list[Frame | Garbage]:
    return list(Receiver().feed(line))


@pytest.mark.parametrize(
    "payload",
    [b"", b"\x7e", b"\x7d", b"\x7d\x5d\x5e\x7e\x5e", bytes(range(256)), b"\x7e" * PAYLOAD_MAX],
)
def test_any_payload_arrives_as_it_was_sent(payload: bytes) -> None:
    frame = Frame(FrameType.PROBE, 0xFFFF, payload)

    assert received(frame.encode()) == [frame]


def test_flag_and_escape_are_escaped_as_in_rfc_1662() -> None:
    assert b"[\x7d\x5e\x7d\x5d]" in Frame(FrameType.RUN, 1, b"[\x7e\x7d]").encode()


def test_a_repetitive_payload_is_sent_deflated() -> None:
    frame = Frame(FrameType.PROBE, 1, b"map, unmap; " * 1000)

    line = frame.encode()

    assert len(line) < 200
    assert received(line) == [frame]


def test_a_payload_that_cannot_be_deflated_is_sent_as_it_is() -> None:
    noise = random.Random(1).randbytes(1000).replace(FLAG, b"").replace(b"\x7d", b"")

    assert noise in Frame(FrameType.PROBE, 1, noise).encode()


def test_both_ends_mark_deflated_frames_alike() -> None:
    header = (CHECKOUT / "guest" / "agent" / "frame.h").read_text()

    assert f"#define FRAME_DEFLATED 0x{DEFLATED:02x}\n" in header


def test_a_frame_arrives_in_single_bytes() -> None:
    receiver = Receiver()

    got = [item for byte in WHOLE.encode() for item in receiver.feed(bytes([byte]))]

    assert got == [WHOLE]


def test_a_frame_after_random_bytes_arrives() -> None:
    noise = random.Random(1).randbytes(10_000)

    *garbage, last = received(noise + WHOLE.encode())

    assert last == WHOLE
    assert all(isinstance(item, Garbage) for item in garbage)


def test_a_frame_after_one_that_was_cut_short_arrives() -> None:
    cut = WHOLE.encode()[:-3]

    assert received(cut + WHOLE.encode()) == [Garbage(cut.strip(FLAG)), WHOLE]


def test_a_frame_with_one_wrong_bit_is_garbage() -> None:
    line = bytearray(WHOLE.encode())
    line[6] ^= 1

    assert isinstance(received(bytes(line))[0], Garbage)


def test_a_frame_of_an_unknown_type_is_garbage() -> None:
    line = Frame(0x55, 1, b"x").encode()  # type: ignore[arg-type] # unknown on purpose

    assert isinstance(received(line)[0], Garbage)


def test_noise_without_a_flag_does_not_pile_up() -> None:
    receiver = Receiver()

    for _ in range(100):
        assert not list(receiver.feed(b"x" * 65536))
    (garbage,) = receiver.feed(FLAG)

    assert isinstance(garbage, Garbage)
    assert len(garbage.content) < 3 * PAYLOAD_MAX


def test_random_noise_is_never_taken_for_a_frame() -> None:
    noise = os.urandom(100_000)

    assert not [item for item in received(noise) if isinstance(item, Frame)]


def test_both_ends_number_the_frame_types_alike() -> None:
    header = (CHECKOUT / "guest" / "agent" / "frame.h").read_text()

    numbers = {name: int(value, 16) for name, value in re.findall(r"FRAME_(\w+) = (0x\w+)", header)}

    assert numbers == {kind.name: kind.value for kind in FrameType}


def test_both_ends_agree_on_the_longest_payload() -> None:
    header = (CHECKOUT / "guest" / "agent" / "frame.h").read_text()

    assert f"#define FRAME_PAYLOAD_MAX {PAYLOAD_MAX}\n" in header
