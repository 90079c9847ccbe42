# SPDX-License-Identifier: Apache-2.0
"""QMP through ``qemu.qmp``: a small synchronous interface that never drops an event."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qemu.qmp import ExecInterruptedError, ExecuteError, QMPClient, QMPError

from harness.base.errors import GuestHang, QemuError
from harness.base.outcome import Outcome
from harness.machine.qemu.log import LogFile, ends
from harness.machine.qemu.loop import event_loop, run
from harness.machine.qemu.watch import Watch

ANSWER_TIMEOUT = 30.0
"""Seconds for QEMU to answer a command; normally milliseconds."""

LAST_WORDS_TIMEOUT = 2.0
"""Seconds to wait for the process's end and its last output after QEMU closed the connection."""

Event = Mapping[str, Any]

_FINAL = ("GUEST_PANICKED", "SHUTDOWN")

_SHUTDOWN_OUTCOMES = {"guest-reset": Outcome.RESET, "guest-shutdown": Outcome.POWER_OFF}


class Monitor:
    """The harness's own QMP connection to one QEMU, with every exchange in a log file."""

    def __init__(self, watch: Watch, log: Path) -> None:
        self._watch = watch
        self._log = LogFile(log, ends(watch))
        self._begin = time.monotonic()
        self._client = QMPClient("harness")
        self._client.logger.setLevel("CRITICAL")  # its errors reach us as exceptions
        self._events: list[Event] = []
        self._listener: asyncio.Task[None] | None = None
        self.on_event: Callable[[Event], None] | None = None

    @property
    def events(self) -> tuple[Event, ...]:
        """Every event since the start, oldest first."""
        return tuple(self._events)

    @property
    def mark(self) -> int:
        """The number of the next event; give it to :meth:`wait_event` as *since*."""
        return len(self._events)

    def connect(self, connection: socket.socket) -> None:
        """Negotiate on a connected socket; raises QemuError if that is not QEMU."""
        run(self._connect(connection), "the QMP greeting", ANSWER_TIMEOUT)

    def execute(
        self, command: str, arguments: Mapping[str, object] | None = None, **words: object
    ) -> Any:
        """Run a QMP command and return its value; ``_`` in a keyword stands for ``-``.

        Raises QemuError with QEMU's message when it refuses, and the guest's ending when QEMU
        has ended.
        """
        sent = {**(arguments or {}), **{name.replace("_", "-"): v for name, v in words.items()}}
        try:
            return run(self._execute(command, sent), f"QMP '{command}'", ANSWER_TIMEOUT)
        except (ExecInterruptedError, QMPError) as fault:
            raise self._departure(f"QEMU ended during '{command}': {fault}") from fault

    def hmp(self, line: str, cpu: int = 0) -> str:
        """Run a command of the human monitor and return its text; *cpu* is the one it is about."""
        return str(self.execute("human-monitor-command", command_line=line, cpu_index=cpu))

    async def look(self, line: str) -> str:
        """The text of a command of the human monitor; for the loop's thread, and not logged."""
        return str(await self._client.execute("human-monitor-command", {"command-line": line}))

    def wait_event(
        self,
        *names: str,
        timeout: float,
        match: Callable[[Event], bool] = lambda _: True,
        since: int = 0,
        outlive: bool = False,
    ) -> Event:
        """Return the first event with one of *names* that *match* accepts, from event *since* on.

        Raises as :meth:`Watch.wait` does; *timeout* in seconds.
        """

        def look() -> Event | None:
            found = (e for e in self._events[since:] if e["event"] in names and match(e))
            return next(found, None)

        def seen() -> str:
            return ", ".join(e["event"] for e in self._events[-5:]) or "no event"

        what = f"QMP event {' or '.join(names)}"
        return self._watch.wait(what, look, timeout, seen, outlive=outlive)

    def wait_final(self, timeout: float) -> None:
        """Wait for an event after which the guest does nothing more; *timeout* in seconds.

        Raises GuestHang when none comes.
        """
        self.wait_event(*_FINAL, match=_is_final, timeout=timeout, outlive=True)

    def close(self) -> None:
        """Disconnect; never raises."""
        run(self._close(), "QMP to close", ANSWER_TIMEOUT)
        self._log.close()

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._client.connect(connection)
        except QMPError as fault:
            raise QemuError(f"QMP could not be negotiated: {fault}") from fault
        self._listener = event_loop().create_task(self._listen())

    async def _listen(self) -> None:
        async for event in self._client.events:
            self._record("event", event)
            self._events.append(dict(event))
            if self.on_event is not None:
                self.on_event(event)
            self._watch.notify()

    async def _execute(self, command: str, arguments: Mapping[str, object]) -> object:
        self._record("send", {"execute": command, "arguments": arguments})
        try:
            value = await self._client.execute(command, dict(arguments))
        except ExecuteError as refusal:
            self._record("refused", str(refusal))
            raise QemuError(f"QEMU refused '{command}' {dict(arguments)}: {refusal}") from refusal
        self._record("reply", value)
        return value

    def _departure(self, seen: str) -> Exception:
        """The exception for an ended QEMU: the guest's ending, or else QemuError with *seen*."""
        try:
            ending = self._watch.wait(
                "QEMU's end",
                lambda: self._watch.ending,
                LAST_WORDS_TIMEOUT,
                lambda: seen,
                outlive=True,
            )
        except GuestHang:
            return QemuError(seen)
        return ending.error()

    async def _close(self) -> None:
        if self._listener is not None:
            self._listener.cancel()
        try:
            await self._client.disconnect()
        except (QMPError, EOFError, OSError) as fault:  # QEMU ended first
            self._record("closed", str(fault))

    def _record(self, what: str, content: object) -> None:
        passed = time.monotonic() - self._begin
        line = f"[{passed:10.6f}] {what} {json.dumps(content, default=str)}\n"
        self._log.write(line.encode())


def ending_of(event: Event) -> Outcome | None:
    """The outcome for a QMP event; None if the guest continues."""
    if event["event"] == "GUEST_PANICKED" and event["data"]["action"] == "pause":
        return Outcome.PANIC
    if event["event"] == "SHUTDOWN":
        return _SHUTDOWN_OUTCOMES.get(event["data"]["reason"])
    return None


def _is_final(event: Event) -> bool:
    return ending_of(event) is not None
