# SPDX-License-Identifier: Apache-2.0
"""Vhost-user devices: a source of entropy, a disk, a network card.

Each serves honestly; mutations.py changes answers. Layouts and features: Virtual I/O Device
Specification 1.2, chapters 5.1, 5.2 and 5.4.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from harness.devices.rogue.vhost.answer import Answer, Write
from harness.devices.rogue.vhost.ring import DeviceBuffer, Request
from harness.devices.rogue.vhost.table import MemoryTable


@dataclass(frozen=True)
class Completion:
    """A request and how it is to be answered."""

    request: Request
    answer: Answer


class VhostDevice(Protocol):
    """A kind of device."""

    kind: str
    """QEMU's word for it: rng, blk or net."""

    queues: int
    """How many virtqueues it has."""

    features: int
    """Its own feature bits, beside those of the transport."""

    config: bytes
    """Its configuration space, empty if QEMU does not ask for one."""

    def serve(self, request: Request, memory: MemoryTable) -> Sequence[Completion]:
        """The completions after *request* has come; they may be of other requests."""

    def forget(self) -> None:
        """Forget requests that were kept: their ring has stopped."""


class Entropy:
    """A source of entropy whose every byte is *fill*."""

    kind, queues, features, config = "rng", 1, 0, b""

    def __init__(self, fill: int = 0x5A) -> None:
        self.fill = fill

    def serve(self, request: Request, memory: MemoryTable) -> Sequence[Completion]:
        """Fill every buffer."""
        del memory
        writes = [Write(b.address, bytes([self.fill]) * b.size) for b in request.writable]
        return [completion(request, writes)]

    def forget(self) -> None:
        """Nothing is kept."""


SECTOR = 512


class DiskRequest(IntEnum):
    """What a driver may ask of a disk (5.2.6)."""

    IN = 0
    OUT = 1
    FLUSH = 4
    GET_ID = 8


class DiskStatus(IntEnum):
    """The last byte of an answer (5.2.6)."""

    OK = 0
    IO_ERROR = 1
    UNSUPPORTED = 2


class DiskFeature(IntEnum):
    """Feature bits (5.2.3)."""

    SEG_MAX = 1 << 2
    BLK_SIZE = 1 << 6
    FLUSH = 1 << 9


SEGMENTS = 126
"""As QEMU's own disks: a queue of 128 without the header and the status."""


class Disk:
    """A disk that holds *content*, a multiple of 512 bytes, and calls itself *serial*."""

    kind, queues = "blk", 1
    features = DiskFeature.SEG_MAX | DiskFeature.BLK_SIZE | DiskFeature.FLUSH

    _HEADER = struct.Struct("<IIQ")
    """type, reserved, sector (5.2.6)."""

    _CONFIG = struct.Struct("<QII4xI36x")
    """capacity in sectors, size_max, seg_max, geometry, blk_size, the rest (5.2.4)."""

    _SERIAL_SIZE = 20

    def __init__(self, content: bytes | bytearray, serial: bytes = b"rogue") -> None:
        if not content or len(content) % SECTOR:
            raise ValueError(f"a disk has whole sectors, not {len(content)} bytes")
        self.content, self._serial = bytearray(content), serial
        self.config = self._CONFIG.pack(len(content) // SECTOR, 0, SEGMENTS, SECTOR)

    def serve(self, request: Request, memory: MemoryTable) -> Sequence[Completion]:
        """Read, write, flush, or say the serial number."""
        out = b"".join(memory.read(b.address, b.size) for b in request.readable)
        if len(out) < self._HEADER.size or not request.writable:
            return [completion(request, [])]
        kind, _, sector = self._HEADER.unpack_from(out)
        *places, status = request.writable
        if status.size > 1:  # the driver may have put data and status into one buffer
            places.append(DeviceBuffer(status.address, status.size - 1, True, status.descriptor))
        result, data = self._do(
            kind, sector * SECTOR, out[self._HEADER.size :], sum(b.size for b in places)
        )
        last = Write(status.address + status.size - 1, bytes([result]))
        return [completion(request, [*scatter(data, places), last])]

    def forget(self) -> None:
        """Nothing is kept."""

    def _do(self, kind: int, begin: int, out: bytes, size: int) -> tuple[DiskStatus, bytes]:
        end = begin + (len(out) if kind == DiskRequest.OUT else size)
        if kind in (DiskRequest.IN, DiskRequest.OUT) and end > len(self.content):
            return DiskStatus.IO_ERROR, b""
        if kind == DiskRequest.IN:
            return DiskStatus.OK, bytes(self.content[begin:end])
        if kind == DiskRequest.OUT:
            self.content[begin:end] = out
            return DiskStatus.OK, b""
        if kind == DiskRequest.GET_ID:
            return DiskStatus.OK, self._serial.ljust(self._SERIAL_SIZE, b"\0")[:size]
        return (DiskStatus.OK if kind == DiskRequest.FLUSH else DiskStatus.UNSUPPORTED), b""


class Network:
    """A network card that records every frame, and with *reflect* sends it back.

    Queue 0 takes buffers to receive into, queue 1 frames to transmit (5.1.2).
    """

    kind, queues, features, config = "net", 2, 0, b""

    HEADER = 12
    """Bytes of the header before each frame, as VERSION_1 has it (5.1.6)."""

    def __init__(self, reflect: bool = False) -> None:
        self.frames: list[bytes] = []
        self._reflect = reflect
        self._empty: list[Request] = []

    def serve(self, request: Request, memory: MemoryTable) -> Sequence[Completion]:
        """Keep a receive buffer until there is a frame for it; record a frame."""
        if request.layout.index == 0:
            self._empty.append(request)
            return []
        sent = b"".join(memory.read(b.address, b.size) for b in request.readable)
        self.frames.append(sent[self.HEADER :])
        done = [completion(request, [])]
        if self._reflect and self._empty:
            back = self._empty.pop(0)
            done.append(completion(back, scatter(self._received(sent), back.writable)))
        return done

    def forget(self) -> None:
        """Forget the receive buffers."""
        self._empty.clear()

    def _received(self, sent: bytes) -> bytes:
        """The frame with the header of one that is received: one buffer, nothing offloaded."""
        return bytes(self.HEADER - 2) + b"\1\0" + sent[self.HEADER :]


def completion(request: Request, writes: Sequence[Write]) -> Completion:
    """The honest completion of *request* after these *writes*."""
    length = sum(len(write.data) for write in writes)
    return Completion(request, Answer(request.head, length, tuple(writes)))


def scatter(data: bytes, places: Sequence[DeviceBuffer]) -> list[Write]:
    """Spread *data* over buffers, as far as they go."""
    writes, done = [], 0
    for buffer in places:
        piece = data[done : done + buffer.size]
        if piece:
            writes.append(Write(buffer.address, piece))
        done += buffer.size
    return writes
