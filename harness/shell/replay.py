# SPDX-License-Identifier: Apache-2.0
"""Replay: do to a guest, call by call, what a test did to the guest that failed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.base.errors import InputError, ProtocolError
from harness.devices.probe import ProbeSession
from harness.devices.probe.calls import Call, recorded
from harness.devices.probe.wire import parse_requests
from harness.devices.rogue.root_port import RootPort
from harness.machine.qemu.agent import Agent, StressJob
from harness.machine.qemu.artifacts import ACTS
from harness.machine.qemu.journal import Act, parse_acts
from harness.observe.memory import LiveMemory
from harness.shell.target import Target

RUN_TIMEOUT = 60.0
"""Seconds for a recorded command in the guest."""


@dataclass(frozen=True)
class ReplayStep:
    """An act, or one *call* of a batch of the probe, in its *context*."""

    act: Act
    context: int = 0
    call: Call[Any] | None = None


class Replay:
    """The steps of a failed test, on the guest of *target*; *done* of them are made.

    *known* are the summaries of the violations that a person has been told of, or that were there
    before the first call (*begun*: they have been looked for).
    """

    def __init__(self, target: Target, steps: Sequence[ReplayStep], done: int = 0) -> None:
        self._target, self.steps, self.done = target, tuple(steps), done
        self.known: set[str] = set()
        self.begun = False
        self._sessions: dict[int, ProbeSession] = {}

    def fork(self, target: Target) -> "Replay":
        """The same calls, as many of them made, on a guest in the same state."""
        new = Replay(target, self.steps, self.done)
        agent = target.guest.agent
        new.known, new.begun = set(self.known), self.begun
        new._sessions = {context: one.fork(agent) for context, one in self._sessions.items()}
        return new

    def next(self) -> str | None:
        """Make steps up to one that a driver or a device sees, and say it; None after the last."""
        while self.done < len(self.steps):
            step = self.steps[self.done]
            self.done += 1
            text = self._make(step)
            if text is not None:
                return text
        return None

    @property
    def visible(self) -> tuple[int, ...]:
        """The indices of the steps that :meth:`next` stops after."""
        return tuple(index for index, step in enumerate(self.steps) if is_visible(step))

    def make_until(self, index: int) -> None:
        """Make the steps before number *index*."""
        while self.done < index:
            step = self.steps[self.done]
            self.done += 1
            self._make(step)

    @property
    def _agent(self) -> Agent:
        """What does in the guest as it is told."""
        return self._target.guest.agent

    def _make(self, step: ReplayStep) -> str | None:
        """Make one step; returns what it did in the terms of a driver."""
        agent, act = self._agent, step.act
        before = agent.journal.added
        match act.kind:
            case "probe":
                assert step.call is not None, "a batch is split into calls"
                self._session(step.context).outcomes([step.call])
            case "run":
                ran = agent.run(act.text, RUN_TIMEOUT)
                return f"[guest runs {act.text!r}: exit status {ran.status}]"
            case "write":
                agent.write_file(act.text, act.data)
                return f"[guest's {act.text} is written: {len(act.data)} bytes]"
            case "stress":
                jobs = [
                    StressJob(cpu, runs, bytes.fromhex(b)) for cpu, runs, b in json.loads(act.text)
                ]
                agent.stress(jobs, RUN_TIMEOUT)
                return f"[{len(jobs)} contexts make calls at the same time]"
            case "plug":
                device = json.loads(act.text)
                RootPort(self._target.guest, act.number).plug(device)
                return f"[{device.get('id', 'a device')} is plugged into port {act.number}]"
            case "dma":
                return self._write(act)
        made = agent.journal.added - before
        return "\n".join(list(agent.journal)[-made:]) if made else None

    def _write(self, act: Act) -> str:
        """Write what a device wrote; through a fence the device itself would have to try."""
        said = f"[{act.text} writes {len(act.data)} bytes at {act.number:#x}]"
        if self._target.guest.machine.fence is not None:
            return f"{said} (not replayed: this machine has a fence. 'rogue write' tries it)"
        memory = self._target.memory
        assert isinstance(memory, LiveMemory), "a guest's"
        memory.write(act.number, act.data)
        return said

    def _session(self, context: int) -> ProbeSession:
        if context not in self._sessions:
            self._sessions[context] = ProbeSession(self._agent, context)
        return self._sessions[context]


SILENT = frozenset(
    {
        *("RESET", "DEVICES", "DEVICE_INFO", "BUFFER_ALLOC", "BUFFER_FREE", "COMPARE", "VERIFY"),
        *("READ", "CHECKSUM", "LIVE", "HELD", "CONTEXT"),
    }
)
"""Operations that are no call of the DMA API, nor a write."""


def is_visible(step: ReplayStep) -> bool:
    """Whether a driver or a device sees it."""
    return step.call is None or step.call.op not in SILENT


def read_replay(target: Target, directory: Path) -> Replay:
    """The replay of the failure in *directory*; raises as :func:`read_steps`."""
    return Replay(target, read_steps(directory))


def read_steps(directory: Path) -> tuple[ReplayStep, ...]:
    """What was done to the guest of the failure in *directory*; none if nothing was recorded.

    Raises InputError for a damaged record.
    """
    file = directory / ACTS
    if not file.exists():
        return ()
    try:
        return tuple(step for act in parse_acts(file.read_text()) for step in _steps(act))
    except (ValueError, ProtocolError) as fault:
        raise InputError(f"{file} is damaged: {fault}") from fault


def _steps(act: Act) -> Iterator[ReplayStep]:
    """An act as steps: a batch of the probe is one for each call."""
    if act.kind != "probe":
        yield ReplayStep(act)
        return
    (choice, context), *calls = parse_requests(act.data)
    if choice != "CONTEXT":
        raise ProtocolError(f"a batch begins with {choice} instead of its context")
    for op, payload in calls:
        yield ReplayStep(act, context[0], recorded(op, payload))
