# SPDX-License-Identifier: Apache-2.0
"""The other end of vhost-user: what QEMU and a guest's driver do, with a page or two of memory."""

import contextlib
import mmap
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.devices.rogue.vhost.backend import Backend
from harness.devices.rogue.vhost.devices import VhostDevice
from harness.devices.rogue.vhost.protocol import (
    HEADER,
    RING_ADDRESS,
    RING_STATE,
    TABLE_ENTRY,
    TABLE_HEAD,
    U64,
    Code,
    Flag,
    pack,
)
from harness.devices.rogue.vhost.ring import USED_ELEMENT
from harness.machine.qemu.loop import call
from harness.observe.memory.virtqueue import DESCRIPTOR

BASE, USER, SIZE = 0x4F00_0000, 0x7FFF_0000_0000, 1 << 16
DESCRIPTORS, AVAILABLE, USED, BUFFERS, RING = 0x0, 0x1000, 0x2000, 0x4000, 4
"""Offsets from BASE, and the ring's size."""

TIMEOUT = 10.0


class Frontend:
    """Memory, a ring in it, and the connection to a backend."""

    def __init__(self, path: Path, device: VhostDevice) -> None:
        self.file = os.memfd_create("guest")
        os.ftruncate(self.file, SIZE)
        self.memory = mmap.mmap(self.file, SIZE)
        self.kick, self.call = os.eventfd(0), os.eventfd(0)
        self.path, self._news = path, threading.Condition()
        self.backend = Backend(device, "rogue", self._tell)
        self._offered = 0
        self.connection = self.accept()

    def accept(self) -> socket.socket:
        """Have the backend connect, and return our end."""
        self.path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
            listener.listen(1)
            call(lambda: self.backend.connect(self.path))
            connection, _ = listener.accept()
        connection.settimeout(TIMEOUT)
        return connection

    def send(self, code: int, payload: bytes = b"", files: tuple[int, ...] = ()) -> None:
        """Say something to the backend that wants an answer."""
        message = pack(code, payload, Flag.VERSION | Flag.NEED_REPLY)
        socket.send_fds(self.connection, [message], list(files))

    def ask(self, code: int, payload: bytes = b"", files: tuple[int, ...] = ()) -> bytes:
        """Say something to the backend and return its answer."""
        self.send(code, payload, files)
        answered, flags, size = HEADER.unpack(self._receive(HEADER.size))
        assert (answered, flags) == (code, Flag.VERSION | Flag.REPLY)
        return self._receive(size)

    def share(self) -> None:
        """Hand the memory over."""
        table = TABLE_HEAD.pack(1, 0) + TABLE_ENTRY.pack(BASE, SIZE, USER, 0)
        self.ask(Code.SET_MEM_TABLE, table, (self.file,))

    def start(self, index: int = 0, base: int = 0, user: int = USER) -> None:
        """Start a ring, as a driver does that has set it up."""
        self.ask(Code.SET_VRING_NUM, RING_STATE.pack(index, RING))
        self.ask(Code.SET_VRING_BASE, RING_STATE.pack(index, base))
        places = (user + DESCRIPTORS, user + USED, user + AVAILABLE, BASE + USED)
        self.ask(Code.SET_VRING_ADDR, RING_ADDRESS.pack(index, 0, *places))
        self.ask(Code.SET_VRING_CALL, U64.pack(index), (self.call,))
        self.ask(Code.SET_VRING_KICK, U64.pack(index), (self.kick,))

    def put(self, offset: int, data: bytes) -> None:
        """Write to the memory."""
        self.memory[offset : offset + len(data)] = data

    def get(self, offset: int, size: int) -> bytes:
        """Read from the memory."""
        return self.memory[offset : offset + size]

    def describe(self, number: int, address: int, size: int, flags: int, then: int = 0) -> None:
        """Write a descriptor."""
        self.put(
            DESCRIPTORS + number * DESCRIPTOR.size, DESCRIPTOR.pack(address, size, flags, then)
        )

    def offer(self, head: int) -> None:
        """Put a chain into the available ring and kick."""
        self.put(AVAILABLE + 4 + 2 * (self._offered % RING), struct.pack("<H", head))
        self._offered += 1
        self.put(AVAILABLE + 2, struct.pack("<H", self._offered & 0xFFFF))
        os.eventfd_write(self.kick, 1)

    def wait_call(self) -> None:
        """Wait for an interrupt."""
        ready, _, _ = select.select([self.call], [], [], TIMEOUT)
        assert ready, "no interrupt"
        os.eventfd_read(self.call)

    def wait(self, look: Callable[[], bool]) -> None:
        """Wait until something is so, looking again at all news of the backend."""
        with self._news:
            assert self._news.wait_for(look, TIMEOUT)

    @property
    def used_index(self) -> int:
        """How far the device is."""
        return int(struct.unpack("<H", self.get(USED + 2, 2))[0])

    def used(self, number: int) -> tuple[int, int]:
        """An element of the used ring: id and length."""
        place = USED + 4 + USED_ELEMENT.size * number
        identity, length = USED_ELEMENT.unpack(self.get(place, USED_ELEMENT.size))
        return identity, length

    def hung_up(self) -> bool:
        """Whether the backend hangs up, now or soon."""
        return self.connection.recv(1) == b""

    def close(self) -> None:
        """Let go of everything."""
        call(self.backend.close)
        self.connection.close()
        self.memory.close()
        for file in (self.file, self.kick, self.call):
            os.close(file)

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.connection.recv(size - len(data))
            assert piece, "the backend hung up"
            data += piece
        return data

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()


@contextlib.contextmanager
def frontend(path: Path, device: VhostDevice) -> Iterator[Frontend]:
    """A front-end with a backend for *device* connected to it."""
    end = Frontend(path / "vhost", device)
    try:
        yield end
    finally:
        end.close()
