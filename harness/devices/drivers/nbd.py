# SPDX-License-Identifier: Apache-2.0
"""A disk that answers when it is told to: an NBD server for QEMU, which holds its answers.

The protocol is that of https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md: the
fixed newstyle handshake with NBD_OPT_GO, and simple replies.
"""

import asyncio
import contextlib
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from errno import EINVAL
from pathlib import Path
from types import MappingProxyType

from harness.machine.qemu.loop import call, run

GREETING = struct.pack(">8s8sH", b"NBDMAGIC", b"IHAVEOPT", 3)
"""The server's first words; flags: fixed newstyle, and no zeroes after the handshake."""

OPTION = struct.Struct(">8sII")
OPTION_REPLY = struct.Struct(">QIII")
OPTION_REPLY_MAGIC = 0x0003_E889_0455_65A9
OPT_ABORT, OPT_GO = 2, 7
REP_ACK, REP_INFO, REP_UNSUPPORTED = 1, 3, 1 << 31 | 1
EXPORT = struct.Struct(">HQH")
HAS_FLAGS, SEND_FLUSH = 1 << 0, 1 << 2

REQUEST = struct.Struct(">IHHQQI")
REQUEST_MAGIC = 0x2560_9513
REPLY = struct.Struct(">IIQ")
REPLY_MAGIC = 0x6744_6698

TIMEOUT = 10.0
"""Seconds for the server to start or to stop."""


class Command(IntEnum):
    """The type of a request (NBD_CMD_*)."""

    READ = 0
    WRITE = 1
    DISCONNECT = 2
    FLUSH = 3


@dataclass(frozen=True)
class DiskRequest:
    """A request: *kind* is a Command, or a number that is none; *data* what is to be written."""

    kind: int
    handle: int
    offset: int
    length: int
    data: bytes = b""


class HeldDisk:
    """Serves *file* at the Unix socket *path*; while it is :attr:`held`, it keeps its answers.

    Used from one thread; it works on the event loop's.
    """

    def __init__(self, file: Path, path: Path, asked: Callable[[], object] | None = None) -> None:
        """*asked* is called at each request, before its answer, on the event loop's thread."""
        self.path = path
        self._asked = asked or (lambda: None)
        self.held = False
        """Whether requests wait for :meth:`answer`."""
        self.moved = 0
        """Bytes that were read and written so far."""
        self._file = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        self._waiting: list[DiskRequest] = []
        self._writer: asyncio.StreamWriter | None = None
        self._server = run(
            asyncio.start_unix_server(self._serve, path), "a disk's server to start", TIMEOUT
        )

    @property
    def node(self) -> Mapping[str, object]:
        """The driver of QEMU's block node, and its properties."""
        server = {"type": "unix", "path": str(self.path)}
        return MappingProxyType({"driver": "nbd", "server": server})

    @property
    def waiting(self) -> int:
        """How many requests wait for an answer."""
        return len(self._waiting)

    def answer(self) -> int:
        """Answer all requests that wait; how many those were."""
        return call(self._answer_all)

    def release(self) -> None:
        """Hold nothing any more."""
        self.held = False
        self.answer()

    def close(self) -> None:
        """Stop serving."""

        def stop() -> None:
            self._server.close()
            if self._writer is not None:
                self._writer.close()
            if self._file >= 0:
                os.close(self._file)
                self._file = -1

        call(stop)

    def _answer_all(self) -> int:
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            self._answer(request)
        return len(waiting)

    def _answer(self, request: DiskRequest) -> None:
        if self._writer is None or self._file < 0:
            return
        error, data = 0, b""
        match request.kind:
            case Command.READ:
                data = os.pread(self._file, request.length, request.offset)
            case Command.WRITE:
                os.pwrite(self._file, request.data, request.offset)
            case Command.FLUSH:  # the harness reads what the kernel of the host has
                self._asked()
            case _:
                error = EINVAL
        self.moved += len(data) + len(request.data)
        self._writer.write(REPLY.pack(REPLY_MAGIC, error, request.handle) + data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            writer.write(GREETING)
            await reader.readexactly(4)  # the client's flags
            if await self._handshake(reader, writer):
                self._writer = writer
                await self._transmission(reader)
        writer.close()

    async def _handshake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the client begins to transmit; options other than NBD_OPT_GO are refused."""
        while True:
            _, option, length = OPTION.unpack(await reader.readexactly(OPTION.size))
            await reader.readexactly(length)
            if option == OPT_GO:
                size = os.fstat(self._file).st_size
                writer.write(_option_reply(option, REP_INFO, EXPORT.pack(0, size, FLAGS)))
                writer.write(_option_reply(option, REP_ACK))
                return True
            if option == OPT_ABORT:
                writer.write(_option_reply(option, REP_ACK))
                return False
            writer.write(_option_reply(option, REP_UNSUPPORTED))

    async def _transmission(self, reader: asyncio.StreamReader) -> None:
        while True:
            head = await reader.readexactly(REQUEST.size)
            magic, _, kind, handle, offset, length = REQUEST.unpack(head)
            if magic != REQUEST_MAGIC or kind == Command.DISCONNECT:
                return
            data = await reader.readexactly(length) if kind == Command.WRITE else b""
            request = DiskRequest(kind, handle, offset, length, data)
            if self.held:
                self._waiting.append(request)
                self._asked()
            else:
                self._asked()
                self._answer(request)


FLAGS = HAS_FLAGS | SEND_FLUSH


def _option_reply(option: int, kind: int, data: bytes = b"") -> bytes:
    return OPTION_REPLY.pack(OPTION_REPLY_MAGIC, option, kind, len(data)) + data
