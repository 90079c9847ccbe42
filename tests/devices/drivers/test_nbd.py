# SPDX-License-Identifier: Apache-2.0
"""A held disk answers as an NBD server, and not before it is told to."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.devices.drivers import HeldDisk
from harness.devices.drivers.nbd import (
    OPT_ABORT,
    OPT_GO,
    OPTION,
    OPTION_REPLY,
    REP_ACK,
    REP_INFO,
    REP_UNSUPPORTED,
    REPLY,
    REPLY_MAGIC,
    REQUEST,
    REQUEST_MAGIC,
    Command,
)

STRUCTURED_REPLY = 8
SIZE = 8192
CONTENT = bytes(range(256)) * (SIZE // 256)


class Client:
    """What QEMU's block driver ``nbd`` says."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(10)
        self.socket.connect(str(path))
        assert self.read(18)[:16] == b"NBDMAGICIHAVEOPT"
        self.socket.sendall(struct.pack(">I", 3))

    def read(self, count: int) -> bytes:
        """That many bytes."""
        return self.socket.recv(count, socket.MSG_WAITALL)

    def option(self, option: int, data: bytes = b"") -> tuple[int, bytes]:
        """Ask for an option; the first reply."""
        self.socket.sendall(OPTION.pack(b"IHAVEOPT", option, len(data)) + data)
        return self.option_reply()

    def option_reply(self) -> tuple[int, bytes]:
        """The kind and the data of a reply."""
        _, _, kind, length = OPTION_REPLY.unpack(self.read(OPTION_REPLY.size))
        return kind, self.read(length) if length else b""

    def go(self) -> int:
        """Begin to transmit; the size of the disk."""
        kind, export = self.option(OPT_GO, struct.pack(">IH", 0, 0))
        assert kind == REP_INFO
        assert self.option_reply() == (REP_ACK, b"")
        return int(struct.unpack(">HQH", export)[1])

    def ask(self, kind: int, handle: int, offset: int, length: int, data: bytes = b"") -> None:
        """Send a request."""
        self.socket.sendall(REQUEST.pack(REQUEST_MAGIC, 0, kind, handle, offset, length) + data)

    def answer(self, length: int = 0) -> tuple[int, int, bytes]:
        """Error, handle and data of the next answer."""
        magic, error, handle = REPLY.unpack(self.read(REPLY.size))
        assert magic == REPLY_MAGIC
        return error, handle, self.read(length) if length else b""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def told() -> list[int]:
    """The bytes that were moved before each request that the disk told of."""
    return []


@pytest.fixture
def disk(file: Path, tmp_path: Path, told: list[int]) -> Iterator[HeldDisk]:
    served = HeldDisk(file, tmp_path / "socket", lambda: told.append(served.moved))
    yield served
    served.close()


@pytest.fixture
def client(disk: HeldDisk) -> Iterator[Client]:
    one = Client(disk.path)
    assert one.go() == SIZE
    yield one
    one.socket.close()


def test_an_option_that_it_does_not_know_is_refused(disk: HeldDisk) -> None:
    client = Client(disk.path)

    assert client.option(STRUCTURED_REPLY) == (REP_UNSUPPORTED, b"")
    assert client.option(OPT_ABORT) == (REP_ACK, b"")
    client.socket.close()


def test_what_is_read_and_written_is_the_file(client: Client, file: Path, disk: HeldDisk) -> None:
    client.ask(Command.READ, 1, 512, 1024)
    assert client.answer(1024) == (0, 1, CONTENT[512:1536])

    client.ask(Command.WRITE, 2, 4096, 512, b"x" * 512)
    assert client.answer() == (0, 2, b"")
    client.ask(Command.FLUSH, 3, 0, 0)
    assert client.answer() == (0, 3, b"")

    assert file.read_bytes()[4096:4608] == b"x" * 512
    assert disk.moved == 1024 + 512


def test_a_held_request_waits_until_it_is_told(client: Client, disk: HeldDisk) -> None:
    disk.held = True
    client.ask(Command.READ, 1, 0, 512)
    client.ask(Command.READ, 2, 512, 512)
    client.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.answer(512)
    assert disk.waiting == 2

    assert disk.answer() == 2

    client.socket.settimeout(10)
    assert [client.answer(512)[1] for _ in range(2)] == [1, 2]
    assert disk.waiting == 0


@pytest.mark.parametrize("held", [True, False])
def test_each_request_is_told_before_its_answer(
    client: Client, disk: HeldDisk, told: list[int], held: bool
) -> None:
    disk.held = held
    client.ask(Command.READ, 1, 0, 512)
    disk.release()
    client.answer(512)

    assert told == [0]


def test_nothing_waits_after_the_release(client: Client, disk: HeldDisk) -> None:
    disk.held = True
    client.ask(Command.READ, 1, 0, 512)
    disk.release()
    client.ask(Command.READ, 2, 0, 512)

    assert [client.answer(512)[1] for _ in range(2)] == [1, 2]


def test_a_request_that_it_does_not_know_is_an_error(client: Client) -> None:
    client.ask(7, 1, 0, 512)

    assert client.answer()[0] != 0
