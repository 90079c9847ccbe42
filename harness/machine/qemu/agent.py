# SPDX-License-Identifier: Apache-2.0
"""The client of ``guest/agent``: a synchronous call for each request to the guest."""

import json
import socket
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import AgentError, ProtocolError
from harness.machine.qemu.frames import PAYLOAD_MAX, Frame, FrameType
from harness.machine.qemu.journal import Act, Journal
from harness.machine.qemu.line import AgentLine
from harness.machine.qemu.patience import Patience

PROTOCOL_VERSION = 1

TIMEOUT = 20.0
"""Default limit for an answer in seconds; most take milliseconds."""

RUN_MARGIN = 10.0
"""Seconds beyond a command's own limit that the agent has to report its end."""

_LIMIT, _STATUS = struct.Struct("<I"), struct.Struct("<IB")
_ERRNO, _JOB, _RESULT = struct.Struct("<I"), struct.Struct("<HII"), struct.Struct("<II")
_TIMED_OUT, _TRUNCATED = 1, 2
_LAST_ID = 0xFFFF


@dataclass(frozen=True)
class Hello:
    """Who the guest is.

    *release* is ``uname -r``, *build_id* the hexadecimal one of ``/sys/kernel/notes``, *boot_id*
    that of ``/proc/sys/kernel/random/boot_id``, *uptime* in seconds.
    """

    protocol: int
    release: str
    build_id: str
    boot_id: str
    uptime: float


@dataclass(frozen=True)
class Ran:
    """How a command ended: its exit status, or 128 and the signal's number, and what it wrote.

    The output is cut (*truncated*) after 1 MiB. *timed_out*: it was killed at its time-out.
    """

    status: int
    output: bytes
    timed_out: bool = False
    truncated: bool = False

    @property
    def text(self) -> str:
        """Its output as text."""
        return self.output.decode(errors="replace")


@dataclass(frozen=True)
class StressJob:
    """A batch for the probe, to be run on *cpu* up to *runs* times, until a call of it fails."""

    cpu: int
    runs: int
    batch: bytes


@dataclass(frozen=True)
class StressResult:
    """How often a job's batch was run, and the replies to the last run."""

    runs: int
    replies: bytes


class Agent:
    """Speaks to the agent over *connection*, a connected stream socket.

    Every call has a time-out in seconds of the guest's own time, as *patience* counts it; each
    part of an answer starts it anew. A call raises GuestHang after that time, AgentError when the
    request fails in the guest, ProtocolError when the agent violates the protocol, and the
    exception given to :meth:`abort`. Traffic is logged to *log*. Only :meth:`abort` may be called
    from other threads.
    """

    def __init__(
        self,
        connection: socket.socket,
        log: Path | None = None,
        patience: Callable[[float], Patience] = Patience,
        page_size: int = 4096,
    ) -> None:
        self._line = AgentLine(connection, log)
        self._patience = patience
        self._id = time.monotonic_ns() % _LAST_ID
        self.journal = Journal()
        self.page_size = page_size

    def wait_ready(self, patience: Patience) -> Hello:
        """Wait until the agent of a booting guest announces itself."""
        while True:
            frame = self._line.receive("the agent's announcement", patience)
            if frame.type is FrameType.READY:
                return _parse_hello(frame.payload)

    def hello(self, timeout: float = TIMEOUT) -> Hello:
        """Ask who the guest is; works in every state of the line."""
        patience = self._patience(timeout)
        self._line.forget_unsent()
        mine = {self._request(FrameType.HELLO, b"")}
        while True:
            frame = self._line.receive("the answer to a hello", patience)
            if frame.type in (FrameType.DAMAGED, FrameType.READY):
                mine.add(self._request(FrameType.HELLO, b""))
            if frame.type is FrameType.END and frame.id in mine:
                return _parse_hello(frame.payload)

    def run(self, command: str, timeout: float = TIMEOUT) -> Ran:
        """Run a shell command; after *timeout* seconds it is killed with its process group."""
        self.journal.record(Act("run", command))
        payload = _LIMIT.pack(int(1000 * timeout)) + command.encode()
        output, end = self._ask(
            FrameType.RUN, payload, f"the end of '{command}'", timeout + RUN_MARGIN
        )
        status, flags = _unpack(_STATUS, end)
        return Ran(status, output, bool(flags & _TIMED_OUT), bool(flags & _TRUNCATED))

    def read_file(self, path: str, timeout: float = TIMEOUT) -> bytes:
        """Return the content of a file in the guest."""
        return self._ask(FrameType.READ, path.encode(), f"the content of {path}", timeout)[0]

    def write_file(self, path: str, content: bytes, timeout: float = TIMEOUT) -> None:
        """Write a file in the guest; each 32 KiB are one ``write()`` that may take *timeout*."""
        self.journal.record(Act("write", path, data=content))
        name = path.encode() + b"\0"
        size = PAYLOAD_MAX - 1 - len(name)
        for offset in range(0, max(len(content), 1), size):
            payload = bytes([offset > 0]) + name + content[offset : offset + size]
            self._ask(FrameType.WRITE, payload, f"the writing of {path}", timeout)

    def probe(self, batch: bytes, timeout: float = TIMEOUT) -> bytes:
        """Send a batch of at most 32 KiB to the probe and return its replies."""
        self.journal.record(Act("probe", data=batch))
        return self._ask(FrameType.PROBE, batch, "the probe's replies", timeout)[0]

    def stress(
        self, jobs: Sequence[StressJob], timeout: float = TIMEOUT
    ) -> tuple[StressResult, ...]:
        """Run up to 16 jobs at once, and return their results in the same order."""
        recorded = [[job.cpu, job.runs, job.batch.hex()] for job in jobs]
        self.journal.record(Act("stress", json.dumps(recorded)))
        payload = b"".join(_JOB.pack(job.cpu, job.runs, len(job.batch)) + job.batch for job in jobs)
        answer, _ = self._ask(FrameType.STRESS, payload, "the end of a stress", timeout)
        results = []
        while answer:
            runs, length = _unpack(_RESULT, answer[: _RESULT.size])
            results.append(StressResult(runs, answer[_RESULT.size : _RESULT.size + length]))
            answer = answer[_RESULT.size + length :]
        return tuple(results)

    def discard(self) -> None:
        """Ask nothing from now on, and forget what the guest says, as when it plays a recording."""
        self._line.discard()

    def abort(self, fault: BaseException) -> None:
        """Make the call that waits now, and every later one, raise *fault*; from any thread."""
        self._line.abort(fault)

    def close(self) -> None:
        """Close the connection and the log."""
        self._line.close()

    def _request(self, kind: FrameType, payload: bytes) -> int:
        if len(payload) > PAYLOAD_MAX:
            raise ProtocolError(
                f"a {kind.name} request has {len(payload)} bytes and may have {PAYLOAD_MAX}; "
                f"split it"
            )
        self._id = self._id % _LAST_ID + 1
        self._line.send(Frame(kind, self._id, payload))
        return self._id

    def _ask(
        self, kind: FrameType, payload: bytes, what: str, timeout: float
    ) -> tuple[bytes, bytes]:
        """Return the chunks and the last frame of the answer.

        When the agent reports garbage, which may have been this request, a hello sent after it
        decides: the agent answers in order.
        """
        patience = self._patience(timeout)
        self._line.forget_unsent()
        mine = self._request(kind, payload)
        check: int | None = None
        chunks = []
        while True:
            frame = self._line.receive(what, patience)
            if frame.type is FrameType.DAMAGED and check is None:
                check = self._request(FrameType.HELLO, b"")
            elif frame.id == check:
                raise ProtocolError(f"the request for {what} was damaged on its way to the guest")
            elif frame.id != mine:
                continue
            elif frame.type is FrameType.CHUNK:
                chunks.append(frame.payload)
                patience = self._patience(timeout)  # a guest that says something is slow, not hung
            elif frame.type is FrameType.END:
                return b"".join(chunks), frame.payload
            elif frame.type is FrameType.ERROR:
                raise _parse_error(frame.payload, what)
            else:
                raise ProtocolError(f"the agent answered {frame.type.name} instead of {what}")


def _unpack(layout: struct.Struct, payload: bytes) -> tuple[int, ...]:
    if len(payload) != layout.size:
        raise ProtocolError(
            f"the agent's answer has {len(payload)} bytes where {layout.size} were expected: "
            f"{payload.hex()}"
        )
    return layout.unpack(payload)


def _parse_error(payload: bytes, what: str) -> AgentError:
    (number,) = _unpack(_ERRNO, payload[: _ERRNO.size])
    reason = payload[_ERRNO.size :].decode(errors="replace")
    return AgentError(f"{what} failed in the guest: {reason}", number)


def _parse_hello(payload: bytes) -> Hello:
    try:
        pairs = (line.partition("=") for line in payload.decode().splitlines())
        said = {name: value for name, _, value in pairs}
        hello = Hello(
            protocol=int(said["protocol"]),
            release=said["release"],
            build_id=said["build_id"],
            boot_id=said["boot_id"],
            uptime=float(said["uptime"]),
        )
    except (KeyError, ValueError) as fault:
        raise ProtocolError(f"the agent's hello is not valid: {payload!r}") from fault
    if hello.protocol != PROTOCOL_VERSION:
        raise ProtocolError(
            f"the agent speaks protocol {hello.protocol}, this harness {PROTOCOL_VERSION}: "
            f"the guest was parked or built by another version of the harness; build it again"
        )
    return hello
