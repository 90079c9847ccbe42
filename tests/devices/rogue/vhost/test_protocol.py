# SPDX-License-Identifier: Apache-2.0
"""Vhost-user messages come whole, with their own files, however the stream is cut."""

import os
import socket
from collections.abc import Iterator

import pytest

from harness.base.errors import ProtocolError
from harness.devices.rogue.vhost.protocol import (
    HEADER,
    PAYLOAD_LIMIT,
    RING_STATE,
    U64,
    Code,
    Flag,
    Message,
    MessageStream,
    pack,
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, MessageStream]]:
    ours, theirs = socket.socketpair()
    stream = MessageStream(theirs)
    yield ours, stream
    stream.close()
    ours.close()


def test_a_message_in_single_bytes_is_one_message(
    ends: tuple[socket.socket, MessageStream],
) -> None:
    ours, stream = ends
    message = pack(Code.SET_FEATURES, U64.pack(1 << 32), Flag.VERSION)

    for number in message[:-1]:
        ours.send(bytes([number]))
        assert stream.receive() is None
    ours.send(message[-1:])

    assert stream.receive() == Message(Code.SET_FEATURES, Flag.VERSION, U64.pack(1 << 32))


def test_files_belong_to_the_message_that_they_came_with(
    ends: tuple[socket.socket, MessageStream],
) -> None:
    ours, stream = ends
    file = os.eventfd(0)
    ours.send(pack(Code.SET_VRING_NUM, RING_STATE.pack(0, 4), Flag.VERSION))
    socket.send_fds(ours, [pack(Code.SET_VRING_KICK, U64.pack(0), Flag.VERSION)], [file])
    ours.send(pack(Code.SET_OWNER, b"", Flag.VERSION))

    plain, kick, owner = (stream.receive() for _ in range(3))

    assert plain is not None
    assert kick is not None
    assert owner is not None
    assert (plain.files, owner.files) == ((), ())
    (received,) = kick.files
    assert os.path.sameopenfile(file, received)
    os.close(file)
    os.close(received)


def test_a_hang_up_is_the_end(ends: tuple[socket.socket, MessageStream]) -> None:
    ours, stream = ends
    ours.close()

    with pytest.raises(EOFError):
        stream.receive()


@pytest.mark.parametrize(
    "header",
    [HEADER.pack(1, 2, 0), HEADER.pack(1, Flag.VERSION, PAYLOAD_LIMIT + 1)],
    ids=["version", "size"],
)
def test_what_is_no_header_is_an_error(
    ends: tuple[socket.socket, MessageStream], header: bytes
) -> None:
    ours, stream = ends
    ours.send(header)

    with pytest.raises(ProtocolError, match="not the header"):
        stream.receive()


def test_a_short_payload_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="fewer than 8"):
        Message(Code.SET_FEATURES, Flag.VERSION, b"\0").unpack(U64)
