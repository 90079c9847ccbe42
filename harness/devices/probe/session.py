# SPDX-License-Identifier: Apache-2.0
"""Make calls: one by one, many at once, on several CPUs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from harness.base.errors import InputError, ProtocolError
from harness.devices.probe import wire
from harness.devices.probe.calls import Call
from harness.devices.probe.record import CallRecord
from harness.devices.probe.values import DmaError, ProbeRefusal, RequestRefused
from harness.devices.probe.wire import Reply, Space
from harness.machine.qemu.agent import Agent, StressJob
from harness.machine.qemu.frames import PAYLOAD_MAX

T = TypeVar("T")

TIMEOUT = 35.0
"""Seconds that one transfer of calls (32 KiB of requests) may take.

Longer than the kernel takes to tell of a CPU that loops with interrupts on: its soft lockup
detector looks every 4 s for one that is stuck for 20 (kernel/watchdog.c; measured: 26 to 28 s)."""


@dataclass(frozen=True)
class StressCalls:
    """Calls to be made on *cpu* in *context*, over and over, *runs* times or until one fails."""

    cpu: int
    runs: int
    context: int
    calls: Sequence[Call[Any]]


@dataclass(frozen=True)
class StressOutcome:
    """How often the calls were made, and the last result of each."""

    runs: int
    outcomes: tuple[Any, ...]


class ProbeSession:
    """Calls through *agent* with the handles of one context (0 to 63), and which are free."""

    def __init__(self, agent: Agent, context: int = 0) -> None:
        self._agent = agent
        self._context = context
        self._record = CallRecord(agent.journal, agent.page_size)
        self._fresh = {space: iter(range(wire.HANDLES)) for space in Space}
        self._returned: dict[Space, list[int]] = {space: [] for space in Space}

    def fork(self, agent: Agent) -> "ProbeSession":
        """A session on a guest whose probe is in the same state, as after a restore.

        It knows what this one's handles stand for, but not which are free: for calls with handles
        of their own.
        """
        new = ProbeSession(agent, self._context)
        new._record = self._record.fork(agent.journal)
        return new

    def call(self, call: Call[T]) -> T:
        """Make one call and return its result; raise DmaError if the kernel refused."""
        return self.call_all([call])[0]

    def call_all(self, calls: Iterable[Call[T]]) -> list[T]:
        """Make calls in order and return their results; raise the first DmaError."""
        outcomes: list[T | DmaError] = self.outcomes(list(calls))
        results = []
        for outcome in outcomes:
            if isinstance(outcome, DmaError):
                raise outcome
            results.append(outcome)
        return results

    def outcomes(self, calls: Sequence[Call[Any]]) -> list[Any]:
        """Make *calls* in order, thousands a second; a refusal by the kernel is a DmaError value.

        Raises RequestRefused at the first that the probe refuses; those after it may have been
        made.
        """
        outcomes: list[Any] = []
        while len(outcomes) < len(calls):
            outcomes += self._transfer(calls, len(outcomes))
        return outcomes

    def stress(
        self, work: Sequence[StressCalls], timeout: float = TIMEOUT
    ) -> tuple[StressOutcome, ...]:
        """Do all the *work* at the same time; its contexts are its own. *timeout* in seconds."""
        jobs = [StressJob(w.cpu, w.runs, batch_of(w.context, w.calls)) for w in work]
        self._record.note_stress(len(work))
        results = self._agent.stress(jobs, timeout)
        return tuple(
            StressOutcome(
                result.runs, tuple(_understand(w.calls, _replies(w.context, result.replies)))
            )
            for w, result in zip(work, results, strict=True)
        )

    def make(self, space: Space, call: Callable[[int], Call[T]]) -> tuple[int, T]:
        """Make a call that gives a new handle to something; the handle stays free if it fails."""
        handle = self.take_handle(space)
        try:
            return handle, self.call(call(handle))
        except (DmaError, RequestRefused):
            self.return_handle(space, handle)
            raise

    def take_handle(self, space: Space) -> int:
        """Take a free handle; InputError if there is none."""
        if self._returned[space]:
            return self._returned[space].pop()
        handle = next(self._fresh[space], None)
        if handle is None:
            raise InputError(f"all {wire.HANDLES} handles for a {space.name} are in use")
        return handle

    def begin_at(self, space: Space, handle: int) -> None:
        """Use no handle below *handle* from now on."""
        self._fresh[space] = iter(range(handle, wire.HANDLES))

    def return_handle(self, space: Space, handle: int) -> None:
        """Make the handle free again."""
        self._returned[space].append(handle)

    def _transfer(self, calls: Sequence[Call[Any]], first: int) -> list[Any]:
        """Make as many calls from *first* on as one request and its replies can hold."""
        some = calls[first : first + _fitting(calls, first)]
        replies = self._agent.probe(batch_of(self._context, some), TIMEOUT)
        answered = _replies(self._context, replies)
        if len(answered) > 1 and answered[-1].status == ProbeRefusal.REPLY_FULL:
            del answered[-1]
            some = some[: len(answered)]
        if len(answered) != len(some):
            raise ProtocolError(f"the probe gave {len(answered)} replies to {len(some)} calls")
        outcomes = []
        for call, outcome in zip(some, _understand(some, answered), strict=True):
            self._record.note(call, outcome)
            outcomes.append(outcome)
        return outcomes


def batch_of(context: int, calls: Sequence[Call[Any]]) -> bytes:
    """The request that makes *calls* in a context."""
    choose = wire.encode_request("CONTEXT", wire.FLAG.pack(context))
    return choose + b"".join(call.encode() for call in calls)


def _replies(context: int, replies: bytes) -> list[Reply]:
    """The replies to the calls of :func:`batch_of`, without the one to its choice of context."""
    parsed = list(wire.parse_replies(replies))
    if parsed and parsed[0].status != 0:
        raise RequestRefused(f"context {context}", ProbeRefusal(parsed[0].status))
    return parsed[1:]


def _fitting(calls: Sequence[Call[Any]], first: int) -> int:
    """How many calls from *first* on fit into one request; at least one."""
    room = PAYLOAD_MAX - len(batch_of(0, []))
    count = 0
    for call in calls[first:]:
        room -= len(call.encode())
        if room < 0 and count:
            break
        count += 1
    return count


def _understand(calls: Sequence[Call[Any]], replies: Sequence[Reply]) -> Iterator[Any]:
    for call, reply in zip(calls, replies, strict=False):
        if reply.status > 0:
            raise RequestRefused(str(call), ProbeRefusal(reply.status))
        if reply.status < 0:
            yield call.failure(str(call), -reply.status)
        else:
            yield call.parse(reply.payload)
