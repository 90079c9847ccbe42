# SPDX-License-Identifier: Apache-2.0
"""Work for real drivers: transfers with a counterpart in the harness that checks every byte."""

import asyncio
import hashlib
import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from harness.base.violation import violated
from harness.devices.shell import shell
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.loop import run

PIECE = 8 << 20
"""Bytes of each kind of transfer."""

DATA = "/tmp/data"
"""In the guest: a piece of random bytes."""

MAKE_DATA = f"dd if=/dev/urandom of={DATA} bs=1M count={PIECE >> 20} 2> /dev/null"


@dataclass(frozen=True)
class NamedCommand:
    """One small request of a driver: a shell *command* in the guest that makes it."""

    name: str
    command: str


class Work(Protocol):
    """The work of one device in one guest."""

    usable: str
    """A condition for the guest's shell: the device is usable."""

    attempt: str
    """A shell command in the guest that cannot finish without DMA."""

    operations: tuple[NamedCommand, ...]
    """Small requests, one at a time."""

    done: str
    """A shell command in the guest that prints how much the device has done so far."""

    @property
    def backend(self) -> Mapping[str, object]:
        """The properties by which QEMU's device has the counterpart."""

    def do(self) -> int:
        """Use the device hard, and compare all data; return how many bytes have moved.

        Raises PropertyViolated where data differ, or the guest cannot do it.
        """


Storage = Callable[[Path], Mapping[str, object]]
"""Makes the driver of a block node of QEMU's for a file, with its properties."""


def _plain(file: Path) -> Mapping[str, object]:
    return {"driver": "file", "filename": str(file)}


class DiskWork:
    """A disk of a guest; its content is a file of four pieces in the run directory.

    The harness writes the first piece, the guest the second past its page cache and the third
    through it.
    """

    def __init__(self, guest: Guest, node: str, storage: Storage | None = None) -> None:
        """*storage* makes QEMU's block node of the file; by default the file itself is one."""
        self._guest = guest
        self._disk = f"$(echo /dev/{node})"
        self.usable = f"[ -b /dev/{node} ]"
        self.attempt = f"dd if={self._disk} of=/dev/null bs=256k count=8 iflag=direct"
        self.done = f"awk '{{ print $3, $7 }}' /sys/block/{node}/stat"  # sectors read and written
        page = "bs=4096 count=1"
        self.operations: tuple[NamedCommand, ...] = (
            NamedCommand("read 4 KiB", f"dd if={self._disk} of=/dev/null {page} iflag=direct"),
            NamedCommand("write 4 KiB", f"dd if=/dev/zero of={self._disk} {page} oflag=direct"),
        )
        self._file = guest.directory / "disk"
        self._file.write_bytes(os.urandom(PIECE).ljust(4 * PIECE, b"\0"))
        made = (storage or _plain)(self._file)
        guest.monitor.execute("blockdev-add", {**made, "node-name": "disk"})

    @property
    def backend(self) -> Mapping[str, object]:
        """A drive."""
        return {"drive": "disk"}

    def do(self) -> int:
        """Read, write, then both at once in requests of several sizes, so that queues fill."""
        _same("bytes that the guest read", self._shell(self._read(0, 256)), self._digest(0))
        data = self._shell(f"{MAKE_DATA} && sha256sum < {DATA}")
        self._shell(self._write(1, 256, "oflag=direct"))
        _same("bytes that the guest wrote past its cache", self._digest(1), data)
        readers = [(0, 4), (1, 64), (0, 1024)]
        start = "".join(f"{self._read(piece, kib)} > /tmp/{kib} & " for piece, kib in readers)
        sums = " ".join(f"/tmp/{kib}" for _, kib in readers)
        read = self._shell(f"{start} {self._write(2, 1024, 'conv=fsync')} && wait && cat {sums}")
        wanted = [self._digest(piece) for piece, _ in readers]
        _same("bytes that the guest read and wrote at once", read.split(), wanted)
        _same("bytes that the guest wrote through its cache", self._digest(2), data)
        return (2 + len(readers) + 1) * PIECE

    def _shell(self, command: str) -> str:
        return shell(self._guest, command).replace("-", "").strip()

    def _digest(self, piece: int) -> str:
        """What lies in that piece of the file."""
        with self._file.open("rb") as file:
            file.seek(piece * PIECE)
            return hashlib.sha256(file.read(PIECE)).hexdigest()

    def _read(self, piece: int, kib: int) -> str:
        """The command that prints the digest of a piece, read in requests of *kib* KiB."""
        count = PIECE >> 10
        where = f"if={self._disk} bs={kib}k skip={piece * count // kib} count={count // kib}"
        return f"dd {where} iflag=direct 2> /dev/null | sha256sum"

    def _write(self, piece: int, kib: int, how: str) -> str:
        """The command that writes DATA into a piece, in requests of *kib* KiB."""
        where = f"of={self._disk} bs={kib}k seek={(piece * PIECE >> 10) // kib}"
        return f"dd if={DATA} {where} {how} 2> /dev/null"


class NetworkWork:
    """A network card of a guest; QEMU's user network leads to a server of the harness.

    Who connects sends a piece and is sent another, at the same time.
    """

    def __init__(self, guest: Guest, node: str) -> None:
        self._guest = guest
        self.usable = f"[ -e /sys/class/net/{node} ]"
        self._piece = os.urandom(PIECE)
        self._received: list[str] = []
        self._server = run(self._listen(), "a server to listen", 10.0)
        guest.at_close(lambda: run(self._stop(), "the server to stop", 10.0))
        port = self._server.sockets[0].getsockname()[1]
        card = f"$(cd /sys/class/net && echo {node})"
        self.done = f"cat /sys/class/net/{node}/statistics/[rt]x_bytes"
        self.up = f"ifconfig {card} {OWN} netmask 255.255.255.0 up"
        self._connect = f"nc {GATEWAY} {port}"
        self.attempt = f"{self.up} && head -c {PIECE} /dev/zero | {self._connect} > /dev/null"
        self.operations: tuple[NamedCommand, ...] = (
            NamedCommand("up", self.up),
            # frames; whether a ping is answered is the host's affair
            NamedCommand("send", f"ping -c 1 -W 1 {GATEWAY} || true"),
        )
        guest.monitor.execute("netdev_add", type="user", id="net", net=NET, host=GATEWAY)

    @property
    def backend(self) -> Mapping[str, object]:
        """A network."""
        return {"netdev": "net"}

    def do(self) -> int:
        """A piece each way over two connections at once."""
        self._received.clear()
        shell(self._guest, f"{self.up} && {MAKE_DATA}")
        back = [f"/tmp/back-{number}" for number in range(2)]
        both = " & ".join(f"{self._connect} < {DATA} > {name}" for name in back)
        sums = shell(
            self._guest, f"{both}; wait; cat {DATA} | sha256sum; sha256sum {' '.join(back)}"
        )
        sent, *got = (line.split()[0] for line in sums.splitlines())
        _same("bytes that the guest sent", self._received, [sent] * len(back))
        wanted = [hashlib.sha256(self._piece).hexdigest()] * len(back)
        _same("bytes that the guest received", got, wanted)
        return 2 * PIECE * len(back)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._piece)
        try:
            piece = await reader.readexactly(PIECE)
            self._received.append(hashlib.sha256(piece).hexdigest())
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self._received.append("cut off")
        writer.close()


NET, GATEWAY, OWN = "10.0.2.0/24", "10.0.2.2", "10.0.2.15"
"""QEMU's user network: its gateway is this machine."""


SIZES = (256, 512)
"""Bytes of reads that end with a completion of the device's: the hwrng core may have 64 bytes left
(drivers/char/hw_random/core.c, rng_buffer_size()), and virtio-rng as many."""


class EntropyWork:
    """A virtio-rng whose source is a file of ascending numbers, so that every byte is known."""

    usable = "grep -q virtio_rng /sys/class/misc/hw_random/rng_current"

    def __init__(self, guest: Guest, node: str) -> None:
        self._guest = guest
        self._read = f"dd if=/dev/{node}"
        self.done = "grep virtio /proc/interrupts"
        self.attempt = f"{self._read} of=/dev/null bs=4k count=1"
        self.operations: tuple[NamedCommand, ...] = tuple(
            NamedCommand(f"read {size} bytes", f"{self._read} of=/dev/null bs={size} count=1")
            for size in SIZES
        )
        source = guest.directory / "entropy"
        source.write_bytes(b"".join(map(NUMBER.pack, range(PIECE // NUMBER.size))))
        guest.monitor.execute("object-add", qom_type="rng-random", id="rng", filename=str(source))

    @property
    def backend(self) -> Mapping[str, object]:
        """A source."""
        return {"rng": "rng"}

    def do(self) -> int:
        """Two readers at once; the kernel reads as well, so that each sees ascending numbers."""
        take = f"{self._read} bs=16k count=16 iflag=fullblock 2> /dev/null"
        shell(self._guest, f"{take} > /tmp/one & {take} > /tmp/two; wait")
        seen = [self._guest.agent.read_file(f"/tmp/{name}") for name in ("one", "two")]
        for content in seen:
            numbers = [number for (number,) in NUMBER.iter_unpack(content)]
            _same("bytes that a reader was given", len(content), 256 << 10)
            ascending = all(one < two for one, two in pairwise(numbers))
            _same("numbers of the source in order", ascending, True)
            _same("numbers that are the source's", numbers[-1] < PIECE // NUMBER.size, True)
        return sum(map(len, seen))


NUMBER = struct.Struct("<Q")


def _same(what: str, seen: object, wanted: object) -> None:
    """Raise PropertyViolated if what was *seen* is not what was *wanted*."""
    if seen != wanted:
        raise violated(f"{what} are wrong: expected {wanted}, observed {seen}")
